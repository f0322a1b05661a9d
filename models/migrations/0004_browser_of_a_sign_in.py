"""Which browser began a sign-in, so that it ends in no other."""

from __future__ import annotations

from typing import Any

import peewee


def up(migrator: Any, _db: peewee.Database) -> None:
    """Add the column; a sign-in that has begun before is bound to none."""
    column = peewee.CharField(max_length=64, null=True)
    migrator.migrate(migrator.add_column("verification", "browser_hash", column))
