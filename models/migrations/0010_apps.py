"""Apps: all that is stored belongs to one; what exists belongs to `default`."""

from __future__ import annotations

import json
import time
from typing import Any, Final

import peewee

_OWNED: Final = ("api_keys", "verification", "connections", "events")


def up(_migrator: Any, db: peewee.Database) -> None:
    """Create the table with its first app, and give each row of the others its app.

    The columns have a default in the database, so that a process of the release before can write.
    """

    class Apps(peewee.Model):
        id = peewee.CharField(max_length=32, primary_key=True)
        name = peewee.CharField(max_length=255)
        settings = peewee.TextField()
        queue_generation = peewee.IntegerField()
        created_at = peewee.BigIntegerField()
        updated_at = peewee.BigIntegerField()

        class Meta:
            database = db
            table_name = "apps"

    db.create_tables([Apps])
    now = time.time_ns() // 1_000_000
    Apps.create(
        id="default",
        name="default",
        settings=json.dumps({}),
        queue_generation=1,
        created_at=now,
        updated_at=now,
    )
    for table in _OWNED:
        db.execute_sql(f"ALTER TABLE {table} ADD COLUMN app VARCHAR(32) NOT NULL DEFAULT 'default'")
    _replace_unique_index(db)


def _replace_unique_index(db: peewee.Database) -> None:
    """Let two apps be connected to the same account."""
    columns = ["provider", "provider_subject", "subject"]
    for index in db.get_indexes("connections"):
        if index.unique and index.columns == columns:
            drop = f"DROP INDEX {index.name}"
            is_mysql = isinstance(db, peewee.MySQLDatabase)
            db.execute_sql(f"{drop} ON connections" if is_mysql else drop)
    db.execute_sql(
        "CREATE UNIQUE INDEX connections_app_account ON connections"
        " (app, provider, provider_subject, subject)"
    )
