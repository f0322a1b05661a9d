"""Since when a provider refuses the renewals of a connection."""

from __future__ import annotations

from typing import Any

import peewee


def up(migrator: Any, _db: peewee.Database) -> None:
    """Add the column; a release without it leaves it as it is."""
    migrator.migrate(
        migrator.add_column("connections", "refused_since", peewee.BigIntegerField(null=True))
    )
