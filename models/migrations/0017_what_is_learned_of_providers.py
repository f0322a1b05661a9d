"""What was learned of a provider by asking it, such as how it reads a client's credentials."""

from __future__ import annotations

from typing import Any

import peewee


def up(migrator: Any, _db: peewee.Database) -> None:
    """Add the column; without a value nothing has been learned."""
    migrator.migrate(
        migrator.add_column("user_oauth_connection", "learned", peewee.TextField(null=True))
    )
