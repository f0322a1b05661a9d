"""Renewing what was leased: asking the provider, and recording how it went."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from actors.connections import describe_connection, find_connection
from actors.errors import AuthError, ConnectionBusy, ProviderUnknown
from actors.provider_lookup import merged_metadata, provider_row
from actors.renewal_outcomes import record_failure, store_grant
from actors.renewal_request import prepare_renewal
from actors.renewing import Renewal, begin
from actors.sweeping import lease_end
from catfeeder.errors import CatFeederError
from catfeeder.jobs import utc_now
from models.connections import TAB_CONNECTIONS, ConnectionStatus
from models.database import connected
from models.journal import Attempt
from models.leases import Lease, claim, leased

_LOG = logging.getLogger(__name__)


class RenewalTooSoon(AuthError):
    """The provider wants more time between two renewals; the token in hand is its latest."""

    permanent = False


def renew_connections(leases: list[tuple[str, int, str]]) -> None:
    """Perform the message of the same name: renew each connection that is still leased to us."""
    for connection_id, version, until in leases:
        lease = Lease(connection_id, version, datetime.fromisoformat(until))
        try:
            renew_leased(lease, utc_now())
        except CatFeederError as error:
            _LOG.warning("Renewing connection %s failed: %s", connection_id, error.detail)


def renew_connection(connection_id: str) -> dict[str, Any]:
    """Perform the message of the same name: renew a connection now, due or not, and return it.

    Raises:
        ConnectionUnknown: There is no such connection.
        ConnectionBusy: Somebody else is renewing it.
        RenewalTooSoon: The provider would take it amiss.
        ReauthorizationRequired: Only the user can bring it back.
        ProviderUnreachable, ProviderMisbehaved, ProviderRefused: The provider's part failed.
    """
    now = utc_now()
    row = find_connection(connection_id)
    if row.status == ConnectionStatus.ACTIVE and now < row.updated_at + _renewal_gap(row.provider):
        raise RenewalTooSoon
    with connected():
        lease = claim(connection_id, now, lease_end(now))
    if lease is None:
        raise ConnectionBusy
    renew_leased(lease, now)
    return describe_connection(find_connection(connection_id))


def _renewal_gap(provider: str) -> timedelta:
    try:
        metadata = merged_metadata(provider_row(provider))
    except ProviderUnknown:
        return timedelta()  # The renewal itself will tell.
    return timedelta(seconds=metadata.get("minimum_renewal_gap_seconds", 0))


def renew_leased(lease: Lease, now: datetime) -> bool:
    """Renew one leased connection and record how it went; false when the lease was lost before.

    Raises:
        ReauthorizationRequired: The provider says that the grant is gone.
        CatFeederError: Anything else that kept us from renewing; it will be tried again.
        DatabaseUnreachable: The database is away; what the provider answered is kept.
    """
    with connected():
        row = leased(lease)
    if row is None:
        return False
    try:
        request = prepare_renewal(row, now)
    except CatFeederError as error:
        _raise(record_failure(Attempt(lease, now), row, error, now))
        return False
    renewal = begin(request, lease, now)
    if renewal is None:
        return False
    _carry_through(renewal, row, now)
    return True


def _carry_through(renewal: Renewal, row: TAB_CONNECTIONS, now: datetime) -> None:
    try:
        grant = renewal.grant(now)
    except CatFeederError as error:
        failure = record_failure(renewal.attempt, row, error, now)
        renewal.keeper.let_go()
        _raise(failure)
    else:
        store_grant(renewal.attempt, row, grant, now)
        renewal.keeper.let_go()


def _raise(failure: CatFeederError | None) -> None:
    if failure is not None:
        raise failure
