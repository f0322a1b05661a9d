"""Ends of grants, their warnings, and the user data that Apple sends once."""

from __future__ import annotations

from typing import Any

import peewee


def up(migrator: Any, _db: peewee.Database) -> None:
    """Add the columns; the end of a stored grant is known from its next renewal."""
    migrator.migrate(
        migrator.add_column("connections", "grant_expires_at", peewee.BigIntegerField(null=True)),
        migrator.add_column("connections", "warn_at", peewee.BigIntegerField(null=True)),
        migrator.add_index("connections", ("warn_at",)),
        migrator.add_column("verification", "told_user", peewee.BlobField(null=True)),
    )
