"""References of events: by them an operator finds the failed sign-in that a user tells of."""

from __future__ import annotations

from typing import Any

import peewee


def up(migrator: Any, _db: peewee.Database) -> None:
    """Add the column; a MAC leaves out what is NULL, so those of stored rows hold on."""
    migrator.migrate(
        migrator.add_column("events", "reference", peewee.CharField(max_length=10, null=True)),
        migrator.add_index("events", ("reference",)),
    )
