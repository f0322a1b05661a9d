"""Private keys and earlier client secrets of providers, and scopes that were not granted."""

from __future__ import annotations

from typing import Any

import peewee


def up(migrator: Any, _db: peewee.Database) -> None:
    """Add the columns, empty."""
    provider = "user_oauth_connection"
    migrator.migrate(
        migrator.add_column(provider, "earlier_client_secrets", peewee.BlobField(null=True)),
        migrator.add_column(provider, "private_key", peewee.BlobField(null=True)),
        migrator.add_column("connections", "missing_scope", peewee.TextField(default="")),
    )
