"""Device authorizations (RFC 8628): codes that are polled for until their users have agreed."""

from __future__ import annotations

from typing import Any

import peewee


def up(_migrator: Any, db: peewee.Database) -> None:
    """Create the table; a release before neither reads nor writes it."""

    class DeviceAuthorizations(peewee.Model):
        id = peewee.CharField(max_length=36, primary_key=True)
        app = peewee.CharField(max_length=32)
        provider = peewee.CharField(max_length=64)
        subject = peewee.CharField(max_length=255)
        scope = peewee.TextField()
        variables = peewee.TextField(null=True)
        device_code = peewee.BlobField(null=True)
        status = peewee.CharField(max_length=16)
        connection_id = peewee.CharField(max_length=36, null=True)
        interval_seconds = peewee.IntegerField()
        next_poll_at = peewee.BigIntegerField(null=True, index=True)
        lease_until = peewee.BigIntegerField(null=True)
        version = peewee.IntegerField()
        created_at = peewee.BigIntegerField()
        expires_at = peewee.BigIntegerField(index=True)
        mac = peewee.BlobField(null=True)
        code_mac = peewee.BlobField(null=True)
        connection_mac = peewee.BlobField(null=True)

        class Meta:
            database = db
            table_name = "device_authorizations"

    db.create_tables([DeviceAuthorizations])
