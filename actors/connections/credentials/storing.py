"""Storing of a connection that was made from credentials."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from actors.connections.credentials.members import Credentials
from actors.events.audit import record
from actors.events.kinds import EventKind
from actors.providers.identity.profiles import describe_no_one
from actors.providers.protocol.provider import Provider
from catfeeder.queue.requester import acting_app
from models.db.database import transaction
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.grants import Grant
from models.oauth.upserts import Owner, store_connection


def store_static(
    provider: Provider,
    subject: str | None,
    credentials: Credentials,
    now: datetime,
    variables: Mapping[str, str] | None = None,
) -> TAB_CONNECTIONS:
    """Store a connection whose requests carry the credentials themselves, which nothing renews.

    The app may have one of these credentials already, which is then updated.
    """
    owner = Owner(acting_app.get(), provider.name, subject or "")
    with transaction():
        row = store_connection(
            owner,
            profile=build_profile(provider, credentials),
            grant=build_bare_grant(credentials),
            now=now,
            variables=variables,
        )
        record(EventKind.CONNECTED, now=now, connection=row, by=credentials.kind)
    return row


def build_bare_grant(credentials: Credentials) -> Grant:
    """Return the grant of a connection that has its credentials, and no token."""
    return Grant(
        access_token=None,
        refresh_token=None,
        token_type=credentials.kind,
        scope="",
        expires_at=None,
        renew_at=None,
        needs_refresh_token=False,
        credentials=credentials.serialize(),
    )


def build_profile(provider: Provider, credentials: Credentials) -> dict[str, Any]:
    """Return the profile of credentials, which name an account and tell nothing of a person."""
    return {**describe_no_one(provider, "credentials", credentials.account)}
