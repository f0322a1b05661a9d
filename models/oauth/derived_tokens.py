"""Derived token: what a connection's grant yields for a scope, resource or audience (RFC 8693)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import peewee

from catfeeder.sealing import Secret
from models.db.database import Table, database, transaction
from models.db.fields import JSONField, SealedField, UTCDateTimeField
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.sealing.row_macs import Authenticated, MacField

#: How many a connection may have; another one takes the place of the one that is stored longest.
MAX_DERIVED_TOKENS: Final = 20
_OWNER_BYTES: Final = 12
_DEAD: Final = (ConnectionStatus.REAUTHORIZATION_REQUIRED, ConnectionStatus.REVOKED)


@dataclass(frozen=True, slots=True)
class DerivedGrant:
    """A token that a provider has issued for a target, and when to ask for the next one."""

    access_token: Secret
    token_type: str
    scope: str
    expires_at: datetime | None
    renew_at: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """The right of one process to ask for a derived token; `owner` is its fence."""

    key: str
    owner: str


class TAB_DERIVED_TOKENS(Authenticated, Table):
    """One token of a connection for exactly what was asked, which `key` is the digest of.

    A sign-in, and the end of the connection, delete its rows: so no process that asked before can
    store what it got.
    """

    sealed_owner = "a derived token"
    sealed_remedy = "it is asked for again"

    key = peewee.CharField(max_length=64, primary_key=True)
    connection_id = peewee.CharField(max_length=36, index=True)
    app = peewee.CharField(max_length=32)
    asked = JSONField()
    scope = peewee.TextField(default="")
    token_type = peewee.CharField(max_length=64, default="")
    access_token = SealedField(null=True)
    expires_at = UTCDateTimeField(null=True)
    renew_at = UTCDateTimeField(null=True)
    #: Of the process that asks the provider at the moment, and until when no other does.
    owner = peewee.CharField(max_length=32, null=True)
    lease_until = UTCDateTimeField(null=True)
    #: Why the provider was asked in vain, and until when it is not asked again.
    failure = JSONField(null=True)
    retry_at = UTCDateTimeField(null=True)
    updated_at = UTCDateTimeField(index=True)
    mac = MacField("connection_id", "app", "asked")

    class Meta:
        """Names the table."""

        table_name = "derived_tokens"

    @classmethod
    def find(cls, key: str) -> TAB_DERIVED_TOKENS | None:
        """Return the token of a key, or what is known of it."""
        row: TAB_DERIVED_TOKENS | None = cls.get_or_none(cls.key == key)
        return cls.authentic(row)

    @classmethod
    def list_of(cls, connection_id: str) -> list[TAB_DERIVED_TOKENS]:
        """Return the tokens of a connection."""
        return cls.keep_authentic(cls.select().where(cls.connection_id == connection_id))

    @classmethod
    def claim(
        cls,
        key: str,
        connection_id: str,
        asked: Mapping[str, Any],
        now: datetime,
        *,
        until: datetime,
        seen: datetime | None,
    ) -> tuple[Claim, TAB_CONNECTIONS] | None:
        """Claim the right to ask for a token, and return the connection as it is then.

        None where another process has it, or has asked since the row was `seen` with its
        `updated_at`; where the connection is gone, or all its places are claimed.
        The connection is locked meanwhile: what replaces its grant comes before or after.
        """
        with transaction():
            connection = _lock_connection(connection_id)
            if connection is None:
                return None
            claim = Claim(key, secrets.token_hex(_OWNER_BYTES))
            found = cls._find_authentic(key)
            if found is None:
                is_ours = cls._create_claimed(claim, connection, asked, now, until=until)
            else:
                is_ours = found.updated_at == seen and cls._lease(claim, now, until=until)
        return (claim, connection) if is_ours else None

    @classmethod
    def _find_authentic(cls, key: str) -> TAB_DERIVED_TOKENS | None:
        """Return the row of a key; one that something else has written is deleted."""
        found: TAB_DERIVED_TOKENS | None = cls.get_or_none(cls.key == key)
        if found is None or found.is_authentic:
            return found
        cls.delete().where(cls.key == key).execute()
        return None

    @classmethod
    def _create_claimed(
        cls,
        claim: Claim,
        connection: TAB_CONNECTIONS,
        asked: Mapping[str, Any],
        now: datetime,
        *,
        until: datetime,
    ) -> bool:
        """Insert a row that is claimed; return False where all places are claimed by others."""
        has_room = cls._make_room(connection.id, now)
        if has_room:
            cls.create(
                key=claim.key,
                connection_id=connection.id,
                app=connection.app,
                asked=dict(asked),
                owner=claim.owner,
                lease_until=until,
                updated_at=now,
            )
        return has_room

    @classmethod
    def _lease(cls, claim: Claim, now: datetime, *, until: datetime) -> bool:
        """Lease the row of a claim's key; return False where another process has it."""
        leased = cls.update(owner=claim.owner, lease_until=until)
        return bool(leased.where(cls.key == claim.key, cls._is_unleased(now)).execute())

    @classmethod
    def _make_room(cls, connection_id: str, now: datetime) -> bool:
        """Delete the oldest tokens of a connection that has as many as it may have."""
        of_connection = cls.connection_id == connection_id
        excess = cls.select().where(of_connection).count() - MAX_DERIVED_TOKENS + 1
        if excess <= 0:
            return True
        free = cls.select(cls.key).where(of_connection, cls._is_unleased(now))
        keys = [row.key for row in free.order_by(cls.updated_at).limit(excess)]
        cls.delete().where(cls.key.in_(keys)).execute()
        return len(keys) == excess

    @classmethod
    def store(cls, claim: Claim, grant: DerivedGrant, now: datetime) -> bool:
        """Store a token and end the claim; False if that was lost."""
        changed = cls.update(
            scope=grant.scope,
            token_type=grant.token_type,
            access_token=cls.access_token.seal(claim.key, grant.access_token),
            expires_at=grant.expires_at,
            renew_at=grant.renew_at,
            failure=None,
            retry_at=None,
            **cls._end(now),
        )
        return bool(changed.where(cls._is(claim)).execute())

    @classmethod
    def store_failure(
        cls, claim: Claim, failure: Mapping[str, Any] | None, retry_at: datetime, now: datetime
    ) -> None:
        """Store why the provider was asked in vain, and end the claim; a token in hand stays."""
        changed = cls.update(failure=failure, retry_at=retry_at, **cls._end(now))
        changed.where(cls._is(claim)).execute()

    @classmethod
    def erase_of(cls, connection_id: str) -> None:
        """Delete the tokens of a connection, in the transaction that replaces or ends its grant."""
        cls.delete().where(cls.connection_id == connection_id).execute()

    @classmethod
    def erase_ended(cls, now: datetime, before: datetime) -> int:
        """Delete tokens that have run out, and whatever was not asked for again since `before`.

        Those of connections that are gone, or that only their user can bring back, go too.

        Returns:
            How many rows that were.
        """
        works = TAB_CONNECTIONS.select().where(
            TAB_CONNECTIONS.id == cls.connection_id, TAB_CONNECTIONS.status.not_in(_DEAD)
        )
        has_ended = (cls.expires_at <= now) | (cls.updated_at <= before)
        ended = (has_ended & cls._is_unleased(now)) | ~peewee.fn.EXISTS(works)
        return int(cls.delete().where(ended).execute())

    @classmethod
    def _end(cls, now: datetime) -> dict[str, Any]:
        return {"owner": None, "lease_until": None, "updated_at": now}

    @classmethod
    def _is(cls, claim: Claim) -> peewee.Expression:
        return (cls.key == claim.key) & (cls.owner == claim.owner)

    @classmethod
    def _is_unleased(cls, now: datetime) -> peewee.Expression:
        return cls.lease_until.is_null() | (cls.lease_until <= now)


def _lock_connection(connection_id: str) -> TAB_CONNECTIONS | None:
    query = TAB_CONNECTIONS.select().where(TAB_CONNECTIONS.id == connection_id)
    if database.for_update:
        query = query.for_update()
    return TAB_CONNECTIONS.authentic(query.first())
