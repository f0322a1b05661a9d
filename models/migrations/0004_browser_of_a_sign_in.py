"""Browser binding: a sign-in ends in the browser that began it."""

from __future__ import annotations

from typing import Any

import peewee


def up(migrator: Any, _db: peewee.Database) -> None:
    """Add the column; sign-ins in progress are bound to no browser."""
    column = peewee.CharField(max_length=64, null=True)
    migrator.migrate(migrator.add_column("verification", "browser_hash", column))
