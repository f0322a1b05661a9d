"""Indexes of the renewal schedule by provider and by status."""

from __future__ import annotations

from typing import Any

import peewee


def up(migrator: Any, _db: peewee.Database) -> None:
    """Add both; the second one also replaces the index of the status alone."""
    migrator.migrate(
        migrator.add_index("connections", ("provider", "renew_at")),
        migrator.add_index("connections", ("status", "renew_at")),
        migrator.drop_index("connections", "connections_status"),
    )
