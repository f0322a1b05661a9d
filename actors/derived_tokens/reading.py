"""Stored derived tokens as apps get them, as long as their connection works."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from actors.connections.errors import ConnectionBusy, ReauthorizationRequired
from actors.connections.reading import find_connection
from actors.connections.token_reading import describe_token
from actors.derived_tokens.targets import build_key
from actors.providers.protocol.tokens.targets import Target
from catfeeder.errors import JobFailed, SealBroken
from catfeeder.results import StoredToken
from catfeeder.sealing import Secret
from models.db.database import hold_connection
from models.oauth.connections import ConnectionStatus
from models.oauth.derived_tokens import TAB_DERIVED_TOKENS

_DEAD = (ConnectionStatus.REAUTHORIZATION_REQUIRED, ConnectionStatus.REVOKED)


@dataclass(frozen=True, slots=True)
class DerivedView:
    """What is known of a derived token; `json` is None where none is stored that can be used."""

    app: str
    json: StoredToken | None
    #: The provider is to be asked for another one.
    is_due: bool = True
    #: Another process asks for it at the moment.
    is_leased: bool = False
    #: Why the provider was asked in vain a moment ago.
    failure: JobFailed | None = None
    #: When its row was written last; None where there is none.
    updated_at: datetime | None = None


def read_derived(connection_id: str, target: Target, now: datetime) -> DerivedView:
    """Return the stored token of a connection for exactly this target.

    Raises:
        ConnectionUnknown: The acting app has no connection of that id.
        ConnectionBusy: It is being made.
        ReauthorizationRequired: Its grant is over, and with it what was derived from it.
    """
    connection = find_connection(connection_id)
    if connection.status == ConnectionStatus.PENDING:
        raise ConnectionBusy
    if connection.status in _DEAD:
        raise ReauthorizationRequired
    with hold_connection():
        row = TAB_DERIVED_TOKENS.find(build_key(connection.id, target))
    if row is None or row.app != connection.app:
        return DerivedView(connection.app, None)
    token = _open_usable(row, now)
    is_refused = row.retry_at is not None and row.retry_at > now
    failure = _read_failure(row.failure) if is_refused else None
    is_leased = row.lease_until is not None and row.lease_until > now
    return DerivedView(
        connection.app,
        None if token is None else describe_token(row, connection, token, is_failing=bool(failure)),
        is_due=token is None or row.renew_at <= now,
        is_leased=is_leased,
        failure=failure,
        updated_at=row.updated_at,
    )


def _open_usable(row: TAB_DERIVED_TOKENS, now: datetime) -> Secret | None:
    """Return the token; None where it has run out, or does not open: it is asked for again."""
    if row.renew_at is None or (row.expires_at is not None and row.expires_at <= now):
        return None
    try:
        return TAB_DERIVED_TOKENS.access_token.open(row)
    except SealBroken:
        return None


def _read_failure(failure: dict[str, Any] | None) -> JobFailed | None:
    if failure is None:
        return None
    return JobFailed(failure["code"], failure["detail"], permanent=failure["permanent"])
