"""Derived tokens: a connection's tokens for a scope, resource or audience, each sealed."""

from __future__ import annotations

from typing import Any

import peewee


def up(_migrator: Any, db: peewee.Database) -> None:
    """Make the table."""

    class DerivedToken(peewee.Model):
        key = peewee.CharField(max_length=64, primary_key=True)
        connection_id = peewee.CharField(max_length=36, index=True)
        app = peewee.CharField(max_length=32)
        asked = peewee.TextField()
        scope = peewee.TextField()
        token_type = peewee.CharField(max_length=64)
        access_token = peewee.BlobField(null=True)
        expires_at = peewee.BigIntegerField(null=True)
        renew_at = peewee.BigIntegerField(null=True)
        owner = peewee.CharField(max_length=32, null=True)
        lease_until = peewee.BigIntegerField(null=True)
        failure = peewee.TextField(null=True)
        retry_at = peewee.BigIntegerField(null=True)
        updated_at = peewee.BigIntegerField(index=True)
        mac = peewee.BlobField(null=True)

        class Meta:
            table_name = "derived_tokens"

    db.bind([DerivedToken], bind_refs=False, bind_backrefs=False)
    db.create_tables([DerivedToken])
