"""Demands of sign-ins: acr and resources that they ask for, and what their connections keep."""

from __future__ import annotations

from typing import Any

import peewee


def up(migrator: Any, _db: peewee.Database) -> None:
    """Add the columns; a MAC leaves out what is NULL, so those of stored rows hold on."""
    migrator.migrate(
        migrator.add_column("verification", "demands", peewee.TextField(null=True)),
        migrator.add_column("connections", "sign_in", peewee.TextField(null=True)),
        migrator.add_column("connections", "sign_in_mac", peewee.BlobField(null=True)),
    )
