"""Relayed sign-ins: whether the app redeems the code itself."""

from __future__ import annotations

from typing import Any

import peewee


def up(migrator: Any, _db: peewee.Database) -> None:
    """Add the column; sign-ins in progress end as before."""
    column = peewee.BooleanField(default=False)
    migrator.migrate(migrator.add_column("verification", "is_relayed", column))
