"""Lifetimes that providers state, and connections that were taken to never end or to be dead."""

from __future__ import annotations

import time
from typing import Any

import peewee

#: What was stored of a token that could not be renewed, whether it worked or not.
_NO_MEANS = "The token expires and the provider gave no means to renew it; sign in again."


def up(migrator: Any, db: peewee.Database) -> None:
    """Add the column, and give those connections the state and the renewal that they should have.

    A connection with a refresh token and no known end falls due now. One without the means of a
    renewal is as it was, until its token runs out.
    """
    migrator.migrate(
        migrator.add_column("connections", "lifetime_seconds", peewee.IntegerField(null=True))
    )

    class Connections(peewee.Model):
        id = peewee.CharField(max_length=36, primary_key=True)
        status = peewee.CharField(max_length=32)
        reason = peewee.TextField(null=True)
        refresh_token = peewee.BlobField(null=True)
        expires_at = peewee.BigIntegerField(null=True)
        renew_at = peewee.BigIntegerField(null=True)

        class Meta:
            database = db
            table_name = "connections"

    now = int(time.time() * 1000)
    table = Connections
    is_forgotten = (
        (table.status == "active")
        & table.refresh_token.is_null(False)
        & table.expires_at.is_null()
        & table.renew_at.is_null()
    )
    table.update(renew_at=now).where(is_forgotten).execute()
    is_without_means = (table.status == "reauthorization_required") & (table.reason == _NO_MEANS)
    table.update(status="ended", reason=None).where(
        is_without_means, table.expires_at <= now
    ).execute()
    table.update(status="active", reason=None, renew_at=table.expires_at).where(
        is_without_means
    ).execute()
