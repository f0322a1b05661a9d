"""Further members of token answers and callbacks, which an API cannot be called without."""

from __future__ import annotations

from typing import Any

import peewee


def up(migrator: Any, _db: peewee.Database) -> None:
    """Add the columns; what was dropped before is there again after the next renewal or sign-in."""
    migrator.migrate(
        migrator.add_column("connections", "metadata", peewee.TextField(null=True)),
        migrator.add_column("verification", "callback_parameters", peewee.TextField(null=True)),
    )
