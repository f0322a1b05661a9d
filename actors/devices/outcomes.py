"""Outcomes of a device authorization: its tokens are stored once, or its end is recorded."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from actors.connections.errors import ConnectionUnknown
from actors.errors import AuthError
from actors.events.audit import record
from actors.events.kinds import EventKind
from actors.oauth.stored_grants import GrantOrigin, User, extend_lifetime, identify, store_tokens
from actors.providers.protocol.filling import fill_members
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.revocation import revoke_grant
from actors.providers.protocol.tokens.answers import TokenResponse
from catfeeder.errors import CatFeederError
from config import current_settings
from models.db.database import hold_connection, transaction
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.devices import TAB_DEVICE_AUTHORIZATIONS, DeviceStatus, PollLease

_LOG = logging.getLogger(__name__)


class Poll(NamedTuple):
    """A device authorization under the lease of one poll."""

    row: TAB_DEVICE_AUTHORIZATIONS
    lease: PollLease


def finish(poll: Poll, provider: Provider, tokens: TokenResponse, now: datetime) -> None:
    """Store the tokens to which the user has agreed, as those of a sign-in are.

    An account that was connected before keeps its connection. Where the device was disconnected
    meanwhile nothing is stored, and the tokens are revoked.

    Raises:
        IdTokenInvalid: The id_token is missing or not valid.
        ProviderRefused, ProviderMisbehaved, ProviderUnreachable: The user could not be identified.
    """
    if (held := _keep_lease(poll, now)) is None:
        _discard(poll, provider, tokens)
        return
    try:
        user = identify(provider, tokens, _describe_origin(poll.row), now)
        whole = extend_lifetime(provider, tokens)
    except AuthError as error:
        # The code is spent, so nothing is gained by another poll.
        end_refused(held, DeviceStatus.FAILED, error, now)
        return
    try:
        _store(held, provider, whole, user, now)
    except ConnectionUnknown:
        _discard(poll, provider, whole)


def _keep_lease(poll: Poll, now: datetime) -> Poll | None:
    """Prolong the lease for what is asked with the tokens; None if it is another's, or erased."""
    until = now + timedelta(seconds=current_settings().oauth.lease_seconds)
    with hold_connection():
        lease = TAB_DEVICE_AUTHORIZATIONS.extend(poll.lease, until)
    return None if lease is None else Poll(poll.row, lease)


def _describe_origin(row: TAB_DEVICE_AUTHORIZATIONS) -> GrantOrigin:
    detail: dict[str, Any] = {"by": "device_code", "pending_connection_id": row.id}
    return GrantOrigin(
        app=row.app,
        subject=row.subject,
        scope=row.scope,
        key=row.id,
        variables=row.variables,
        connection_id=row.id,
        # Any person who was shown the code may have agreed.
        detail={**detail, "unbound": True} if row.subject else detail,
    )


def _store(
    poll: Poll, provider: Provider, tokens: TokenResponse, user: User, now: datetime
) -> None:
    """Put the connection in the place of the pending one.

    Raises:
        ConnectionUnknown: That was disconnected, or another process holds the lease.
    """
    with transaction():
        if not TAB_CONNECTIONS.erase(poll.row.id):
            raise ConnectionUnknown
        connection = store_tokens(provider, tokens, _describe_origin(poll.row), user, now)
        result = None if connection.id == poll.row.id else connection.id
        if not poll.row.end(poll.lease, DeviceStatus.CONNECTED, result):
            raise ConnectionUnknown


def _discard(poll: Poll, provider: Provider, tokens: TokenResponse) -> None:
    """Revoke tokens that no connection waits for any more, as a disconnect would have."""
    extra = {"connection_id": poll.row.id, "provider": poll.row.provider}
    filled = fill_members(provider, tokens.metadata)
    try:
        revoked = revoke_grant(filled, tokens.access_token, tokens.refresh_token)
    except AuthError as error:
        text = "The tokens of a device that was disconnected are not revoked: %s"
        _LOG.warning(text, error.detail, extra=extra)
        return
    if not revoked.is_complete:
        _LOG.warning("The tokens of a device that was disconnected live on.", extra=extra)


def end_refused(poll: Poll, status: DeviceStatus, error: CatFeederError, now: datetime) -> None:
    """Record that a device gets no tokens, and why; its connection needs its user from now on."""
    row = poll.row
    reason = error.detail
    with transaction():
        if not row.end(poll.lease, status, None):
            return
        TAB_CONNECTIONS.end_pending(row.id, reason, now)
        connection = TAB_CONNECTIONS.find(row.id)
        if connection is not None:
            code = error.code if status is DeviceStatus.FAILED else str(status)
            kind = EventKind.DEVICE_REFUSED
            record(kind, now=now, connection=connection, reason=code, message=reason)
