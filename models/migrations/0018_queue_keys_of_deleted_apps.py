"""Queue keys of deleted apps stay revoked, should an app of the same id be made again."""

from __future__ import annotations

from typing import Any

import peewee


def up(_migrator: Any, db: peewee.Database) -> None:
    """Create the table; a release before neither reads nor writes it."""

    class RetiredQueueKeys(peewee.Model):
        app = peewee.CharField(max_length=32, primary_key=True)
        queue_generation = peewee.IntegerField()

        class Meta:
            database = db
            table_name = "retired_queue_keys"

    db.create_tables([RetiredQueueKeys])
