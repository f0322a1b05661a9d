"""Renewal journal: the tokens sent to providers, and their answers."""

from __future__ import annotations

from typing import Any

import peewee


def up(_migrator: Any, db: peewee.Database) -> None:
    """Create the table; its rows are deleted with their connections."""

    class Connections(peewee.Model):
        id = peewee.CharField(max_length=36, primary_key=True)

        class Meta:
            database = db
            table_name = "connections"

    class Attempts(peewee.Model):
        connection = peewee.ForeignKeyField(
            Connections, column_name="connection_id", primary_key=True, on_delete="CASCADE"
        )
        version = peewee.IntegerField()
        token_digest = peewee.CharField(max_length=64)
        tries = peewee.IntegerField()
        started_at = peewee.BigIntegerField()
        answer = peewee.BlobField(null=True)

        class Meta:
            database = db
            table_name = "attempts"

    db.create_tables([Attempts])
