"""Circuit breaker of each provider, and one setting for the errors that end a grant."""

from __future__ import annotations

import json
from typing import Any

import peewee


def up(_migrator: Any, db: peewee.Database) -> None:
    """Create the table, and turn `dead_grant_errors` into `failure_kinds`."""

    class Base(peewee.Model):
        class Meta:
            database = db

    class ProviderHealth(Base):
        provider = peewee.CharField(max_length=64, primary_key=True)
        state = peewee.CharField(max_length=16)
        epoch = peewee.IntegerField()
        failures = peewee.IntegerField()
        failing_connection = peewee.CharField(max_length=36, null=True)
        pauses = peewee.IntegerField()
        since = peewee.BigIntegerField(null=True)
        paused_until = peewee.BigIntegerField(null=True)
        kind = peewee.CharField(max_length=32, null=True)
        reason = peewee.TextField(null=True)
        next_request_at = peewee.BigIntegerField(null=True)

        class Meta:
            table_name = "provider_health"

    class Providers(Base):
        name = peewee.CharField(max_length=64, primary_key=True)
        metadata = peewee.TextField()

        class Meta:
            table_name = "user_oauth_connection"

    db.create_tables([ProviderHealth])
    for row in list(Providers.select()):
        metadata = json.loads(row.metadata)
        if (errors := metadata.pop("dead_grant_errors", None)) is not None:
            metadata["failure_kinds"] = dict.fromkeys(errors, "grant_dead")
            row.metadata = json.dumps(metadata, sort_keys=True)
            row.save()
