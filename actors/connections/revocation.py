"""Revocation (RFC 7009): a grant is revoked at its provider, then its connection is erased."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, cast

from actors.connections.credentials.members import open_credentials
from actors.connections.errors import ConnectionBusy, ConnectionUnknown
from actors.connections.reading import find_connection
from actors.errors import AuthError, FailureKind
from actors.events.audit import record
from actors.events.kinds import EventKind
from actors.providers.config.discovery import resolve_provider
from actors.providers.protocol.filling import fill_connection
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.revocation import Revoked, revoke_grant
from actors.providers.protocol.token_endpoint import read_kept_tokens
from actors.providers.protocol.tokens.client_grants import adapt_provider
from catfeeder.clock import utc_now
from catfeeder.errors import SealBroken
from catfeeder.results import Revocation
from catfeeder.sealing import Secret
from config import current_settings
from models.db.database import hold_connection, transaction
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.derived_tokens import TAB_DERIVED_TOKENS
from models.oauth.devices import TAB_DEVICE_AUTHORIZATIONS
from models.renewal.journal import TAB_ATTEMPTS, claim_unstarted
from models.renewal.leases import Lease, erase_leased

_LOG = logging.getLogger(__name__)
_CHECK_SECONDS: Final = 0.1
#: A sign-in or a slow renewal may bring a new grant while the old one is revoked, but not for ever.
_MAX_ROUNDS: Final = 5
#: A process has 64 threads for all calls to providers; most of them must stay free for renewals.
_WAITERS: Final = threading.BoundedSemaphore(16)


@dataclass(frozen=True, slots=True)
class _Held:
    """The tokens of a connection as they are known under its lease."""

    access_token: Secret | None
    refresh_token: Secret | None
    #: A renewal was cut off before its answer came: the provider may have issued others since.
    is_outdated: bool = False


def revoke_connection(connection_id: str, wait_seconds: float | None = None) -> Revocation:
    """Perform the message of the same name.

    The connection is leased first, so that no renewal rotates its tokens meanwhile; one in flight
    is waited for, by default as long as a lease may last, and what it brings is revoked. Then the
    connection is erased, whatever its provider answers: the user asked to be forgotten here.
    `revoked_at_provider` says whether the provider has revoked all that was held, and
    `revoked_tokens` which tokens those are.

    Raises:
        ConnectionUnknown: There is no such connection.
        ConnectionBusy: A renewal in flight takes longer.
    """
    connection_id = find_connection(connection_id).id
    for _ in range(_MAX_ROUNDS):
        lease = _lease(connection_id, wait_seconds)
        row = find_connection(connection_id)
        revoked = _revoke(row)
        outcome = {
            "revoked_at_provider": revoked.is_complete,
            "revoked_tokens": list(revoked.tokens),
        }
        with transaction():
            if erase_leased(lease):
                TAB_DEVICE_AUTHORIZATIONS.erase(connection_id)
                record(EventKind.REVOKED, now=utc_now(), connection=row, **outcome)
                return cast("Revocation", {"id": connection_id, **outcome})
    raise ConnectionBusy


def _lease(connection_id: str, wait_seconds: float | None) -> Lease:
    """Lease a connection for its revocation, after the renewal in flight if there is one."""
    if lease := _try_lease(connection_id):
        return lease
    if not _WAITERS.acquire(blocking=False):
        raise ConnectionBusy
    try:
        # A lease may have been prolonged just now.
        return _await_lease(connection_id, wait_seconds or current_settings().oauth.lease_seconds)
    finally:
        _WAITERS.release()


def _await_lease(connection_id: str, wait_seconds: float) -> Lease:
    deadline = time.monotonic() + wait_seconds
    while time.monotonic() < deadline:
        time.sleep(_CHECK_SECONDS)
        if lease := _try_lease(connection_id):
            return lease
    raise ConnectionBusy


def _try_lease(connection_id: str) -> Lease | None:
    """Return a lease of the connection; None while a renewal of it is in flight.

    Raises:
        ConnectionUnknown: There is no such connection.
    """
    now = utc_now()
    until = now + timedelta(seconds=current_settings().oauth.lease_seconds)
    with hold_connection():
        row = TAB_CONNECTIONS.find(connection_id)
        if row is None:
            raise ConnectionUnknown
        return claim_unstarted(connection_id, row.version, now, until)


def _revoke(row: TAB_CONNECTIONS) -> Revoked:
    extra = {"connection_id": row.id, "provider": row.provider}
    text = "Connection %s was not revoked at its provider: %s"
    try:
        found = resolve_provider(row.provider, utc_now())
        provider = _adapt(fill_connection(found, row.variables, row.metadata), row)
        held = _find_tokens(row, provider)
        revoked = revoke_grant(provider, held.access_token, held.refresh_token)
        revoked = _revoke_derived(row, provider, revoked)
    except (AuthError, SealBroken) as error:
        _LOG.warning(text, row.id, error.detail, extra=extra)
        return Revoked((), is_complete=False)
    for failure in revoked.failures:
        _LOG.warning(text, row.id, failure.detail, extra=extra)
    if held.is_outdated:
        detail = "a renewal was cut off, and the provider may have issued other tokens since."
        _LOG.warning(text, row.id, detail, extra=extra)
        return Revoked(revoked.tokens, is_complete=False)
    return revoked


def _revoke_derived(row: TAB_CONNECTIONS, provider: Provider, revoked: Revoked) -> Revoked:
    """Revoke the tokens that were derived of a grant too, unless the provider has failed.

    RFC 7009 section 2.1 lets an access token live on whose refresh token is revoked.
    """
    if not revoked.is_complete or provider.revocation != "rfc7009":
        return revoked
    now = utc_now()
    with hold_connection():
        derived = TAB_DERIVED_TOKENS.list_of(row.id)
    for one in derived:
        token = TAB_DERIVED_TOKENS.access_token.open(one)
        is_alive = token is not None and (one.expires_at is None or one.expires_at > now)
        also = revoke_grant(provider, token, None) if is_alive else revoked
        if not also.is_complete:
            return Revoked(revoked.tokens, is_complete=False, failures=also.failures)
    return revoked


def _adapt(provider: Provider, row: TAB_CONNECTIONS) -> Provider:
    """Return a provider with the client that the connection's own credentials name, if they do."""
    credentials = open_credentials(row)
    if credentials is None or credentials.is_static:
        return provider
    return adapt_provider(provider, credentials.kind, credentials.members)


def _find_tokens(row: TAB_CONNECTIONS, provider: Provider) -> _Held:
    """Return the tokens to revoke: of an interrupted renewal's kept answer, else those stored.

    Raises:
        SealBroken: They cannot be opened.
    """
    stored = _Held(TAB_CONNECTIONS.access_token.open(row), TAB_CONNECTIONS.refresh_token.open(row))
    with hold_connection():
        attempt = TAB_ATTEMPTS.find(row.id)
    if attempt is None or attempt.version != row.version:
        return stored
    answer = TAB_ATTEMPTS.answer.open(attempt)
    if answer is None:
        return replace(stored, is_outdated=True)
    try:
        kept = read_kept_tokens(provider, answer, attempt.started_at)
    except AuthError as error:
        is_spent = error.is_outcome_unknown or error.kind is FailureKind.GRANT_DEAD
        return replace(stored, is_outdated=is_spent)
    return _Held(kept.access_token, kept.refresh_token or stored.refresh_token)
