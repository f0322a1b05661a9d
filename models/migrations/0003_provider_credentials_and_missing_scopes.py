"""Providers' private keys and earlier client secrets, and the scopes that were not granted."""

from __future__ import annotations

from typing import Any

import peewee


def up(migrator: Any, _db: peewee.Database) -> None:
    """Add the columns; what is stored has none of either."""
    provider = "user_oauth_connection"
    migrator.migrate(
        migrator.add_column(provider, "earlier_client_secrets", peewee.BlobField(null=True)),
        migrator.add_column(provider, "private_key", peewee.BlobField(null=True)),
        migrator.add_column("connections", "missing_scope", peewee.TextField(default="")),
    )
