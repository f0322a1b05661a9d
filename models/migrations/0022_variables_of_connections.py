"""Variables of connections, which fill in a provider's URLs: a host or a path for each customer."""

from __future__ import annotations

from typing import Any

import peewee


def up(migrator: Any, _db: peewee.Database) -> None:
    """Add the columns; a MAC leaves out what is NULL, so those of stored rows hold on."""
    migrator.migrate(
        migrator.add_column("connections", "variables", peewee.TextField(null=True)),
        migrator.add_column("verification", "variables", peewee.TextField(null=True)),
    )
