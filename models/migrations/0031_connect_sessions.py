"""Connect sessions: links to the page where a user connects accounts."""

from __future__ import annotations

from typing import Any

import peewee


def up(_migrator: Any, db: peewee.Database) -> None:
    """Create the table; a release before neither reads nor writes it."""

    class ConnectSessions(peewee.Model):
        id = peewee.CharField(max_length=32, primary_key=True)
        token_hash = peewee.CharField(max_length=64)
        app = peewee.CharField(max_length=32)
        subject = peewee.CharField(max_length=255)
        providers = peewee.TextField(null=True)
        connection_id = peewee.CharField(max_length=36, null=True)
        return_to = peewee.TextField(null=True)
        is_relayed = peewee.BooleanField()
        browser_hash = peewee.CharField(max_length=64, null=True)
        connected = peewee.TextField(null=True)
        created_at = peewee.BigIntegerField()
        expires_at = peewee.BigIntegerField(index=True)
        mac = peewee.BlobField(null=True)
        connected_mac = peewee.BlobField(null=True)

        class Meta:
            database = db
            table_name = "connect_sessions"

    db.create_tables([ConnectSessions])
