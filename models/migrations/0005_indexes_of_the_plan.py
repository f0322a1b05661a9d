"""Indexes by which the plan of renewals is read for one provider, or for what fails."""

from __future__ import annotations

from typing import Any

import peewee


def up(migrator: Any, _db: peewee.Database) -> None:
    """Add both; what the status alone was looked up by, the second one serves as well."""
    migrator.migrate(
        migrator.add_index("connections", ("provider", "renew_at")),
        migrator.add_index("connections", ("status", "renew_at")),
        migrator.drop_index("connections", "connections_status"),
    )
