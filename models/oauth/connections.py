"""Connection: a user's account at a provider, its profile, its sealed tokens, when it falls due."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import peewee

from models.db.database import Table, database, transaction
from models.db.fields import JSONField, SealedField, UTCDateTimeField
from models.oauth.grants import Grant, merge_metadata


class ConnectionStatus(StrEnum):
    """What may be expected of a connection's token."""

    ACTIVE = "active"
    RENEWAL_FAILING = "renewal_failing"
    #: The token has run out, and there is nothing to renew it with: nothing is wrong.
    ENDED = "ended"
    REAUTHORIZATION_REQUIRED = "reauthorization_required"
    REVOKED = "revoked"


class Owner(NamedTuple):
    """The app of a connection, the provider, and the app's own name for the user."""

    app: str
    provider: str
    subject: str


class TAB_CONNECTIONS(Table):
    """One account at one provider, connected for one subject of the app ("" if it named none).

    `version` counts the grants; every write of a renewal names the version it began from.
    """

    id = peewee.CharField(max_length=36, primary_key=True)
    app = peewee.CharField(max_length=32)
    provider = peewee.CharField(max_length=64)
    subject = peewee.CharField(max_length=255)
    provider_subject = peewee.CharField(max_length=255)
    profile = JSONField()
    scope = peewee.TextField()
    missing_scope = peewee.TextField(default="")
    #: Further members of token answers and callbacks that the API cannot be called without.
    metadata = JSONField(null=True)
    status = peewee.CharField(max_length=32)
    reason = peewee.TextField(null=True)
    token_type = peewee.CharField(max_length=64)
    access_token = SealedField(null=True)
    refresh_token = SealedField(null=True)
    expires_at = UTCDateTimeField(null=True)
    lifetime_seconds = peewee.IntegerField(null=True)
    renew_at = UTCDateTimeField(null=True, index=True)
    grant_expires_at = UTCDateTimeField(null=True)
    warn_at = UTCDateTimeField(null=True, index=True)
    lease_until = UTCDateTimeField(null=True)
    version = peewee.IntegerField()
    failures = peewee.IntegerField()
    #: Of a connection whose renewals fail: since when the provider refuses them.
    refused_since = UTCDateTimeField(null=True)
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()

    class Meta:
        """Names the table, and the columns that identify a connection."""

        table_name = "connections"
        indexes = (
            (("app", "provider", "provider_subject", "subject"), True),
            (("subject",), False),
            (("provider", "renew_at"), False),
            (("status", "renew_at"), False),
        )

    @classmethod
    def find(cls, connection_id: str) -> TAB_CONNECTIONS | None:
        """Return the connection of that id."""
        row: TAB_CONNECTIONS | None = cls.get_or_none(cls.id == connection_id)
        return row

    @classmethod
    def list_page(
        cls,
        *,
        app: str | None = None,
        providers: Sequence[str] | None = None,
        subject: str | None = None,
        status: str | None = None,
        after: tuple[datetime, str] | None = None,
        limit: int,
    ) -> list[TAB_CONNECTIONS]:
        """Return up to `limit` connections, oldest first.

        `after` is `created_at` and id of the last connection of the page before.
        """
        query = cls.select().order_by(cls.created_at, cls.id).limit(limit)
        filters = (
            (cls.app, app),
            (cls.subject, subject),
            (cls.status, status),
        )
        for column, wanted in filters:
            if wanted is not None:
                query = query.where(column == wanted)
        if providers is not None:
            query = query.where(cls.provider.in_(providers))
        if after is not None:
            at, last_id = after
            query = query.where(
                (cls.created_at > at) | ((cls.created_at == at) & (cls.id > last_id))
            )
        return list(query)

    @classmethod
    def store(
        cls,
        *,
        app: str,
        provider: str,
        subject: str,
        profile: Mapping[str, Any],
        grant: Grant,
        now: datetime,
        told_once: Sequence[str] = (),
    ) -> TAB_CONNECTIONS:
        """Create the connection of this account for an app, or update the one that it has.

        A sign-in without a subject updates the account's latest connection. A sign-in with one
        adopts a connection without any, and never touches another subject's.

        `told_once` names parts of the profile that the provider sends at the first consent alone;
        they stay if this profile lacks them.
        """
        owner = Owner(app, provider, subject)
        try:
            return cls._store(owner, profile, grant, now, told_once=told_once)
        except peewee.IntegrityError:
            # Two sign-ins of a new account came in at once; the other one's row is found now.
            return cls._store(owner, profile, grant, now, told_once=told_once)

    @classmethod
    def _store(
        cls,
        owner: Owner,
        profile: Mapping[str, Any],
        grant: Grant,
        now: datetime,
        *,
        told_once: Sequence[str],
    ) -> TAB_CONNECTIONS:
        with transaction():
            row = cls._find_existing(owner, profile["subject"])
            known = None if row is None else row.refresh_token
            if grant.needs_refresh_token and grant.refresh_token is None and known is None:
                # It falls due when it has run out.
                grant = replace(grant, renew_at=grant.expires_at)
            if row is None:
                return cls.get_by_id(cls._insert(owner, profile, grant, now))
            if grant.metadata is not None:
                grant = replace(grant, metadata=merge_metadata(row.metadata, grant.metadata))
            kept = {name: profile.get(name) or row.profile.get(name) for name in told_once}
            if grant.refresh_token is None and row.refresh_token is not None:
                # The stored refresh token stays in force, and so does its end.
                grant = replace(grant, end=None)
            cls.update(
                subject=owner.subject or row.subject,
                profile={**profile, **kept},
                status=ConnectionStatus.ACTIVE,
                reason=None,
                lease_until=None,
                failures=0,
                **cls.build_grant_columns(row.id, row.version, grant, now),
            ).where(cls.id == row.id).execute()
            return cls.get_by_id(row.id)

    @classmethod
    def _find_existing(cls, owner: Owner, provider_subject: str) -> TAB_CONNECTIONS | None:
        account = cls.select().where(
            cls.app == owner.app,
            cls.provider == owner.provider,
            cls.provider_subject == provider_subject,
        )
        if owner.subject:
            # A subject's own connection sorts before one with the empty subject.
            own = cls.subject.in_([owner.subject, ""])
            account = account.where(own).order_by(cls.subject.desc())
        else:
            account = account.order_by(cls.updated_at.desc())
        # No other transaction may adopt or renew it before this one ends. SQLite admits one writer
        # at a time anyway.
        row: TAB_CONNECTIONS | None = (
            account.for_update() if database.for_update else account
        ).first()
        return row

    @classmethod
    def _insert(cls, owner: Owner, profile: Mapping[str, Any], grant: Grant, now: datetime) -> str:
        connection_id = str(uuid.uuid4())
        cls.create(
            id=connection_id,
            **owner._asdict(),
            provider_subject=profile["subject"],
            profile=profile,
            status=ConnectionStatus.ACTIVE,
            failures=0,
            created_at=now,
            **cls.build_grant_columns(connection_id, 0, grant, now),
        )
        return connection_id

    @classmethod
    def build_grant_columns(
        cls, connection_id: str, version: int, grant: Grant, now: datetime
    ) -> dict[str, Any]:
        """Return the columns that a grant changes, sealed; `version` is that of the grant before.

        Without a new refresh token that column is left out, and the stored one stays in force.
        """
        columns: dict[str, Any] = {
            "scope": grant.scope,
            "missing_scope": grant.missing_scope,
            "token_type": grant.token_type,
            "access_token": cls.access_token.seal(connection_id, grant.access_token),
            "expires_at": grant.expires_at,
            "renew_at": grant.renew_at,
            "version": version + 1,
            "updated_at": now,
        }
        if grant.refresh_token is not None:
            columns["refresh_token"] = cls.refresh_token.seal(connection_id, grant.refresh_token)
        if grant.metadata is not None:
            columns["metadata"] = grant.metadata
        if grant.lifetime_seconds is not None:
            columns["lifetime_seconds"] = grant.lifetime_seconds
        if grant.end is not None:
            columns["grant_expires_at"] = grant.end.expires_at
            columns["warn_at"] = grant.end.warn_at
        return columns

    @classmethod
    def erase(cls, connection_id: str) -> bool:
        """Delete a connection and its tokens; False if there was none."""
        return bool(cls.delete().where(cls.id == connection_id).execute())

    @classmethod
    def erase_dead(cls, before: datetime) -> int:
        """Delete connections that need their user, and have yielded no token since `before`.

        One whose token has run out and cannot be renewed needs nothing, and stays.

        Returns:
            How many rows that were.
        """
        dead = (ConnectionStatus.REAUTHORIZATION_REQUIRED, ConnectionStatus.REVOKED)
        has_run_out = cls.expires_at.is_null() | (cls.expires_at < before)
        erased = cls.delete().where(cls.status.in_(dead), cls.updated_at < before, has_run_out)
        return int(erased.execute())

    @classmethod
    def find_latest(cls, provider: str) -> TAB_CONNECTIONS | None:
        """Return the connection of a provider whose grant is the latest."""
        rows = cls.select().where(cls.provider == provider).order_by(cls.updated_at.desc())
        row: TAB_CONNECTIONS | None = rows.first()
        return row

    @classmethod
    def find_providers(cls, ids: Collection[str]) -> dict[str, str]:
        """Return the provider of each connection of `ids` that exists, by its id."""
        query = cls.select(cls.id, cls.provider).where(cls.id.in_(list(ids)))
        return {row.id: row.provider for row in query}

    @classmethod
    def exists_for(cls, provider: str) -> bool:
        """Tell whether a provider has any connection."""
        return bool(cls.select(cls.id).where(cls.provider == provider).limit(1).exists())

    @classmethod
    def exists_in(cls, app: str) -> bool:
        """Tell whether an app has any connection."""
        return bool(cls.select(cls.id).where(cls.app == app).limit(1).exists())

    @classmethod
    def count_by_status(cls) -> dict[str, int]:
        """Return how many connections have each status."""
        counted = cls.select(cls.status, peewee.fn.COUNT(cls.id)).group_by(cls.status)
        return {row[0]: row[1] for row in counted.tuples().iterator()}
