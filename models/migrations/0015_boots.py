"""Each start of `make run` by itself: whether its processes are ready, and whether they stop."""

from __future__ import annotations

from typing import Any

import peewee


def up(_migrator: Any, db: peewee.Database) -> None:
    """Create the table; a release before writes none of its rows."""

    class Boots(peewee.Model):
        generation = peewee.IntegerField(primary_key=True)
        ready_at = peewee.BigIntegerField(null=True)
        stopped_at = peewee.BigIntegerField(null=True)

        class Meta:
            database = db
            table_name = "boots"

    db.create_tables([Boots])
