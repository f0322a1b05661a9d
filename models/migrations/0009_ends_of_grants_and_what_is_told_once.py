"""When a grant ends for good, when its app is told ahead of that, and what Apple tells once."""

from __future__ import annotations

from typing import Any

import peewee


def up(migrator: Any, _db: peewee.Database) -> None:
    """Add the columns; when a grant ends that is stored already is known from its next renewal."""
    migrator.migrate(
        migrator.add_column("connections", "grant_expires_at", peewee.BigIntegerField(null=True)),
        migrator.add_column("connections", "warn_at", peewee.BigIntegerField(null=True)),
        migrator.add_index("connections", ("warn_at",)),
        migrator.add_column("verification", "told_user", peewee.BlobField(null=True)),
    )
