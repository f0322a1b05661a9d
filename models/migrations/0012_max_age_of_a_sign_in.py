"""Age of a login: how long ago a sign-in's user may have logged in with the provider."""

from __future__ import annotations

from typing import Any

import peewee


def up(migrator: Any, _db: peewee.Database) -> None:
    """Add the column; sign-ins in progress asked for no age."""
    migrator.migrate(migrator.add_column("verification", "max_age", peewee.IntegerField(null=True)))
