"""The first tables: providers, pending sign-ins, connections, schedule, boots, key ids."""

from __future__ import annotations

from typing import Any

import peewee


def up(_migrator: Any, db: peewee.Database) -> None:
    """Create the tables as this version of the service began with them."""

    class Base(peewee.Model):
        class Meta:
            database = db

    class UserOauthConnection(Base):
        name = peewee.CharField(max_length=64, primary_key=True)
        preset = peewee.CharField(max_length=64, null=True)
        client_id = peewee.TextField(null=True)
        client_secret = peewee.BlobField(null=True)
        metadata = peewee.TextField()
        discovered = peewee.TextField(null=True)
        discovered_at = peewee.BigIntegerField(null=True)
        created_at = peewee.BigIntegerField()
        updated_at = peewee.BigIntegerField()

        class Meta:
            table_name = "user_oauth_connection"

    class Verification(Base):
        state_hash = peewee.CharField(max_length=64, primary_key=True)
        provider = peewee.CharField(max_length=64)
        subject = peewee.CharField(max_length=255)
        scope = peewee.TextField()
        redirect_uri = peewee.TextField()
        return_to = peewee.TextField(null=True)
        nonce = peewee.BlobField(null=True)
        code_verifier = peewee.BlobField(null=True)
        status = peewee.CharField(max_length=16)
        created_at = peewee.BigIntegerField()
        expires_at = peewee.BigIntegerField(index=True)

        class Meta:
            table_name = "verification"

    class Connections(Base):
        id = peewee.CharField(max_length=36, primary_key=True)
        provider = peewee.CharField(max_length=64)
        subject = peewee.CharField(max_length=255)
        provider_subject = peewee.CharField(max_length=255)
        profile = peewee.TextField()
        scope = peewee.TextField()
        status = peewee.CharField(max_length=32, index=True)
        reason = peewee.TextField(null=True)
        token_type = peewee.CharField(max_length=64)
        access_token = peewee.BlobField(null=True)
        refresh_token = peewee.BlobField(null=True)
        expires_at = peewee.BigIntegerField(null=True)
        renew_at = peewee.BigIntegerField(null=True, index=True)
        lease_until = peewee.BigIntegerField(null=True)
        version = peewee.IntegerField()
        failures = peewee.IntegerField()
        created_at = peewee.BigIntegerField()
        updated_at = peewee.BigIntegerField()

        class Meta:
            table_name = "connections"
            indexes = ((("provider", "provider_subject", "subject"), True), (("subject",), False))

    class Crons(Base):
        name = peewee.CharField(max_length=64, primary_key=True)
        next_at = peewee.BigIntegerField()

        class Meta:
            table_name = "crons"

    class Server(Base):
        id = peewee.IntegerField(primary_key=True)
        generation = peewee.IntegerField()
        stopped_generation = peewee.IntegerField()
        booted_at = peewee.BigIntegerField()

        class Meta:
            table_name = "server"

    class SealingKeys(Base):
        key_id = peewee.CharField(max_length=8, primary_key=True)
        first_used_at = peewee.BigIntegerField()

        class Meta:
            table_name = "sealing_keys"

    db.create_tables([UserOauthConnection, Verification, Connections, Crons, Server, SealingKeys])
