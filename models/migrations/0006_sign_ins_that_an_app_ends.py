"""Whether an app redeems the code of a sign-in itself."""

from __future__ import annotations

from typing import Any

import peewee


def up(migrator: Any, _db: peewee.Database) -> None:
    """Add the column; sign-ins that have begun before end as they would have."""
    column = peewee.BooleanField(default=False)
    migrator.migrate(migrator.add_column("verification", "is_relayed", column))
