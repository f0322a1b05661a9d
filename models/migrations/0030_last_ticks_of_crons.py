"""Last ticks of crons, for the console."""

from __future__ import annotations

from typing import Any

import peewee


def up(migrator: Any, _db: peewee.Database) -> None:
    """Add the column; a process of the release before leaves it as it is."""
    migrator.migrate(migrator.add_column("crons", "last_at", peewee.BigIntegerField(null=True)))
