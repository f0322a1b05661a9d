"""Credentials of connections that were made without a browser: API keys, and keys of clients."""

from __future__ import annotations

from typing import Any

import peewee


def up(migrator: Any, _db: peewee.Database) -> None:
    """Add the column; a release before makes no such connection, and renews none of them."""
    column = peewee.BlobField(null=True)
    migrator.migrate(migrator.add_column("connections", "credentials", column))
