"""Connection: a user's account at a provider, its profile, its sealed tokens, when it falls due."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import peewee

from models.db.database import Table
from models.db.fields import JSONField, SealedField, UTCDateTimeField
from models.db.statements import find_by_key, is_one_of
from models.oauth.email_lookup import has_email
from models.oauth.grants import Grant
from models.sealing.row_macs import Authenticated, MacField


class ConnectionStatus(StrEnum):
    """What may be expected of a connection's token."""

    #: It is being made, and has no token yet.
    PENDING = "pending"
    ACTIVE = "active"
    RENEWAL_FAILING = "renewal_failing"
    #: The token has run out, and there is nothing to renew it with: nothing is wrong.
    ENDED = "ended"
    REAUTHORIZATION_REQUIRED = "reauthorization_required"
    REVOKED = "revoked"


class TAB_CONNECTIONS(Authenticated, Table):
    """One account at one provider, connected for one subject of the app ("" if it named none).

    `version` counts the grants; every write of a renewal names the version it began from.
    """

    sealed_owner = "connection {name}"
    sealed_remedy = "its user signs in again"

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
    #: What the provider's URLs are filled in with for this account, such as a subdomain.
    variables = JSONField(null=True)
    #: Of the latest sign-in: `resource` as it asked, `auth_time` and `acr` as its id_token states.
    sign_in = JSONField(null=True)
    status = peewee.CharField(max_length=32)
    reason = peewee.TextField(null=True)
    token_type = peewee.CharField(max_length=64)
    access_token = SealedField(null=True)
    refresh_token = SealedField(null=True)
    #: What a connection without a browser was made from; NULL for that of a sign-in.
    credentials = SealedField(null=True)
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
    created_at = UTCDateTimeField(index=True)
    updated_at = UTCDateTimeField()
    mac = MacField("app", "provider", "subject", "provider_subject", "profile", "variables")
    metadata_mac = MacField("metadata", is_optional=True)
    sign_in_mac = MacField("sign_in", is_optional=True)

    class Meta:
        """Names the table, and the columns that identify a connection."""

        table_name = "connections"
        indexes = (
            (("app", "provider", "provider_subject", "subject"), True),
            (("app", "created_at"), False),
            (("provider", "created_at"), False),
            (("status", "created_at"), False),
            (("subject", "created_at"), False),
            (("provider", "renew_at"), False),
            (("status", "renew_at"), False),
        )

    @classmethod
    def find(cls, connection_id: str) -> TAB_CONNECTIONS | None:
        """Return the connection of that id."""
        row = find_by_key(cls, connection_id)
        return cls.authentic(row)

    @classmethod
    def list_page(
        cls,
        *,
        app: str | None = None,
        providers: Sequence[str] | None = None,
        subject: str | None = None,
        status: str | None = None,
        email: str | None = None,
        after: tuple[datetime, str] | None = None,
        limit: int,
    ) -> list[TAB_CONNECTIONS]:
        """Return up to `limit` connections, oldest first, authentic or not.

        `after` is `created_at` and id of the last connection of the page before.
        """
        query = cls.select().order_by(cls.created_at, cls.id).limit(limit)
        for column, wanted in ((cls.app, app), (cls.subject, subject), (cls.status, status)):
            if wanted is not None:
                query = query.where(column == wanted)
        if email is not None:
            query = query.where(has_email(email))
        if providers is not None:
            query = query.where(cls.provider.in_(providers))
        if after is not None:
            at, last_id = after
            # The second condition implies the first, which is where the index is entered.
            is_behind = (cls.created_at > at) | (cls.id > last_id)
            query = query.where(cls.created_at >= at, is_behind)
        return list(query)

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
        if grant.credentials is not None:
            columns["credentials"] = cls.credentials.seal(connection_id, grant.credentials)
        if grant.metadata is not None:
            columns["metadata"] = grant.metadata
            named = {"id": connection_id, "metadata": grant.metadata}
            columns["metadata_mac"] = cls.metadata_mac.sign(named)
        if grant.lifetime_seconds is not None:
            columns["lifetime_seconds"] = grant.lifetime_seconds
        if grant.end is not None:
            columns["grant_expires_at"] = grant.end.expires_at
            columns["warn_at"] = grant.end.warn_at
        return columns

    @classmethod
    def build_sign_in_columns(cls, connection_id: str, grant: Grant) -> dict[str, Any]:
        """Return the columns that a grant changes which comes by a sign-in, or is moved in."""
        named = {"id": connection_id, "sign_in": grant.sign_in or None}
        return {"sign_in": named["sign_in"], "sign_in_mac": cls.sign_in_mac.sign(named)}

    @classmethod
    def erase(cls, connection_id: str) -> bool:
        """Delete a connection and its tokens; False if there was none."""
        return bool(cls.delete().where(cls.id == connection_id).execute())

    @classmethod
    def erase_tokenless(cls, ids: peewee.ModelSelect[Any]) -> None:
        """Delete those connections of a query of ids that have never had a token."""
        cls.delete().where(cls.id.in_(ids), cls.version == 0).execute()

    @classmethod
    def end_pending(cls, connection_id: str, reason: str, now: datetime) -> None:
        """Record why a connection got no token: its user has to begin again."""
        columns = {"reason": reason, "updated_at": now}
        status = ConnectionStatus.REAUTHORIZATION_REQUIRED
        is_pending = (cls.id == connection_id) & (cls.status == ConnectionStatus.PENDING)
        cls.update(status=status, **columns).where(is_pending).execute()

    @classmethod
    def erase_dead(cls, before: datetime) -> int:
        """Delete connections that need their user, and have yielded no token since `before`.

        One whose token has run out and cannot be renewed needs nothing, and stays.

        Returns:
            How many rows that were.
        """
        dead = (
            *(ConnectionStatus.REAUTHORIZATION_REQUIRED, ConnectionStatus.REVOKED),
            ConnectionStatus.PENDING,
        )
        has_run_out = cls.expires_at.is_null() | (cls.expires_at < before)
        erased = cls.delete().where(cls.status.in_(dead), cls.updated_at < before, has_run_out)
        return int(erased.execute())

    @classmethod
    def find_latest(cls, provider: str) -> TAB_CONNECTIONS | None:
        """Return the connection of a provider whose grant is the latest."""
        rows = cls.select().where(cls.provider == provider).order_by(cls.updated_at.desc())
        return cls.authentic(rows.first())

    @classmethod
    def find_providers(cls, ids: Collection[str]) -> dict[str, str]:
        """Return the provider of each connection of `ids` that exists, by its id."""
        query = cls.select(cls.id, cls.provider).where(is_one_of(cls.id, list(ids)))
        return dict(query.tuples().iterator())

    @classmethod
    def list_of(cls, ids: Collection[str], app: str | None) -> list[TAB_CONNECTIONS]:
        """Return the connections of `ids` that exist, of one app or of any, authentic or not."""
        query = cls.select().where(is_one_of(cls.id, list(ids)))
        return list(query if app is None else query.where(cls.app == app))

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
