"""Last use of API keys: an operator sees which of them nothing uses any more."""

from __future__ import annotations

from typing import Any

import peewee


def up(migrator: Any, _db: peewee.Database) -> None:
    """Add the column, which no MAC covers: it decides nothing."""
    migrator.migrate(
        migrator.add_column("api_keys", "last_used_at", peewee.BigIntegerField(null=True))
    )
