"""First token of a connection without a user: asked for once, however many ask for it at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from actors.connections.credentials.errors import CredentialsRefused
from actors.connections.credentials.members import Credentials, open_credentials
from actors.connections.credentials.storing import build_profile
from actors.connections.errors import ConnectionBusy, ConnectionUnknown
from actors.connections.reading import find_connection
from actors.errors import FailureKind
from actors.events.audit import record
from actors.events.kinds import EventKind
from actors.providers.config.breaker import apply_breaker
from actors.providers.errors import ProviderRefused
from actors.providers.protocol.provider import Provider
from actors.renewal.limits import LIMITS, lease_end
from actors.renewal.request import RenewalRequest, build_request
from actors.renewal.waiting import wait_for_concurrent_renewal
from catfeeder.errors import CatFeederError
from catfeeder.queue.requester import acting_app
from catfeeder.sealing import Secret
from models.db.database import hold_connection, transaction
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.grants import Grant
from models.oauth.provider_health import TAB_PROVIDER_HEALTH
from models.oauth.upserts import Owner
from models.renewal.creation import complete, ensure_pending
from models.renewal.leases import Lease, claim, erase_leased, release


def create_grant(
    provider: Provider,
    subject: str | None,
    credentials: Credentials,
    now: datetime,
    variables: Mapping[str, str] | None = None,
) -> TAB_CONNECTIONS:
    """Return the connection of these credentials, with a token that can be used.

    `variables` are those that the provider is filled in with.

    Of requests at the same time one asks the provider, and the others get its connection.

    Raises:
        CredentialsRefused: The provider refuses the credentials; a new connection is erased.
        ConnectionBusy: Another request asks the provider, and it takes long or has failed.
        ProviderRefused, ProviderMisbehaved, ProviderUnreachable, ProviderPaused: As a renewal.
    """
    owner = Owner(acting_app.get(), provider.name, subject or "")
    with hold_connection():
        profile = build_profile(provider, credentials)
        row = ensure_pending(owner, profile, credentials.serialize(), now, variables)
        if _is_fresh(row, credentials, now):
            return row
        lease = claim(row.id, now, lease_end(now))
        health = TAB_PROVIDER_HEALTH.find(provider.name)
    if lease is None:
        return _await_other(row)
    if lease.version != row.version:
        return _take_over(lease)
    request = build_request(row, provider, health, credentials)
    try:
        grant = _ask(request, health, now)
    except CatFeederError as error:
        _abandon(lease)
        raise _to_refusal(error, credentials) from error
    return _store(request, lease, grant, credentials, now)


def _ask(request: RenewalRequest, health: TAB_PROVIDER_HEALTH, now: datetime) -> Grant:
    with apply_breaker(request.provider, health, request.row.id, now):
        tokens = request.send(_keep_nothing)
    return request.build_grant(tokens, now)


def _is_fresh(row: TAB_CONNECTIONS, credentials: Credentials, now: datetime) -> bool:
    """Return whether a connection has the same credentials, and a token that is not due."""
    stored = open_credentials(row)
    told = (credentials.kind, credentials.members)
    is_same = stored is not None and (stored.kind, stored.members) == told
    if row.status != ConnectionStatus.ACTIVE or not is_same:
        return False
    return row.renew_at is None or row.renew_at > now


def _await_other(row: TAB_CONNECTIONS) -> TAB_CONNECTIONS:
    try:
        return wait_for_concurrent_renewal(row, LIMITS.concurrent_seconds)
    except ConnectionUnknown:
        raise ConnectionBusy from None


def _take_over(lease: Lease) -> TAB_CONNECTIONS:
    """Return a connection whose token has come between the look at it and the lease."""
    with hold_connection():
        release(lease)
    return find_connection(lease.connection_id)


def _keep_nothing(_answer: Secret) -> None:
    """Discard an answer: a repeat of the request gets another token."""


def _abandon(lease: Lease) -> None:
    """Erase a connection that never had a token; leave any other as it was."""
    with transaction():
        if lease.version == 0:
            erase_leased(lease)
        else:
            release(lease)


def _to_refusal(error: CatFeederError, credentials: Credentials) -> CatFeederError:
    is_dead = isinstance(error, ProviderRefused) and error.kind is FailureKind.GRANT_DEAD
    if not is_dead or not isinstance(error, ProviderRefused) or not credentials.members:
        return error
    return CredentialsRefused(
        f"The provider refuses these credentials: {error.error}; nothing was stored."
    )


def _store(
    request: RenewalRequest,
    lease: Lease,
    grant: Grant,
    credentials: Credentials,
    now: datetime,
) -> TAB_CONNECTIONS:
    with transaction():
        complete(lease, replace(grant, credentials=credentials.serialize()), now)
        row: TAB_CONNECTIONS = TAB_CONNECTIONS.get_by_id(request.row.id)
        record(EventKind.CONNECTED, now=now, connection=row, by=credentials.kind)
    return row
