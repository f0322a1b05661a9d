"""API keys, and the audit trail with its outbox."""

from __future__ import annotations

from typing import Any

import peewee


def up(_migrator: Any, db: peewee.Database) -> None:
    """Create both tables."""

    class Base(peewee.Model):
        class Meta:
            database = db

    class ApiKeys(Base):
        id = peewee.CharField(max_length=32, primary_key=True)
        name = peewee.CharField(max_length=255)
        key_hash = peewee.CharField(max_length=64)
        scopes = peewee.TextField()
        requests_per_minute = peewee.IntegerField()
        created_at = peewee.BigIntegerField()
        expires_at = peewee.BigIntegerField(null=True)
        revoked_at = peewee.BigIntegerField(null=True)

        class Meta:
            table_name = "api_keys"

    class Events(Base):
        id = peewee.BigAutoField()
        kind = peewee.CharField(max_length=64, index=True)
        key_id = peewee.CharField(max_length=32, null=True)
        provider = peewee.CharField(max_length=64, null=True)
        connection_id = peewee.CharField(max_length=36, null=True, index=True)
        subject = peewee.CharField(max_length=255, null=True)
        detail = peewee.TextField(null=True)
        created_at = peewee.BigIntegerField(index=True)
        deliver_at = peewee.BigIntegerField(null=True, index=True)
        attempts = peewee.IntegerField()

        class Meta:
            table_name = "events"

    db.create_tables([ApiKeys, Events])
