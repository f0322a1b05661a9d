"""Messages that renew: a batch of leased connections, or one connection on request."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial

from actors.connections.reading import describe_connection, find_connection
from actors.connections.token_reading import check_device
from actors.errors import AuthError
from actors.providers.config.cache import shared_provider_cache
from actors.providers.config.rates import minimum_gap
from actors.providers.errors import ProviderPaused
from actors.renewal.batches import TimeSlice
from actors.renewal.kept_answers import import_answer_files
from actors.renewal.leased import (
    FAILED,
    Finish,
    begin_renewal,
    do_nothing,
    log_fields,
    renew_leased,
)
from actors.renewal.limits import LIMITS, RenewalLimits, lease_end
from actors.renewal.request import RefreshTokenMissing
from actors.renewal.sweep import follow_mark
from actors.renewal.waiting import wait_for_concurrent_renewal
from catfeeder.clock import utc_now
from catfeeder.errors import SealBroken
from catfeeder.results import Connection
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.renewal.journal import claim_unstarted
from models.renewal.leases import Lease, find_all_leased

_LOG = logging.getLogger(__name__)


class RenewalTooSoon(AuthError):
    """Raised for a renewal within a provider's `minimum_renewal_gap_seconds` of the last one."""

    message = "The provider wants more time between two renewals; the token in hand is its latest."

    permanent = False


def renew_connections(leases: list[tuple[str, int, str]], limits: RenewalLimits = LIMITS) -> None:
    """Perform the message of the same name: renew each connection whose lease is still valid.

    A lease is the connection's id, the version of its grant, and the lease's end (RFC 3339). None
    at all are the mark of a sweep that had no room for everything that was due: another follows.
    """
    if not leases:
        follow_mark(limits)
    # Any machine may perform a sweep, but an answer file stays on its own.
    import_answer_files(utc_now())
    held = [Lease(name, version, datetime.fromisoformat(until)) for name, version, until in leases]
    with hold_connection():
        rows = find_all_leased(held)
    latest: Finish = do_nothing
    try:
        for finish in _renew_each(held, rows, limits):
            # The write that began this renewal has stored the grant of the previous one.
            latest, previous = finish, latest
            previous()
    finally:
        latest()


def _renew_each(
    held: list[Lease], rows: Mapping[str, TAB_CONNECTIONS], limits: RenewalLimits
) -> Iterator[Finish]:
    """Renew one connection after the other; yield what finishes each that goes well."""
    memory = shared_provider_cache()
    paused: set[str] = set()
    time_slice = TimeSlice(limits.slice_seconds)
    for lease in held:
        row = rows.get(lease.connection_id)
        if row is None or row.provider in paused:
            continue
        try:
            finish = begin_renewal(lease, row, utc_now(), memory, limits)
        except ProviderPaused as error:
            # The leases of this provider's other connections run out, and a sweep renews them.
            _LOG.info("%s", error.detail, extra=log_fields(row))
            paused.add(row.provider)
        except (AuthError, SealBroken) as error:
            memory.forget(row.provider)
            # That a token runs out which nothing can renew is no failure.
            level = logging.DEBUG if isinstance(error, RefreshTokenMissing) else logging.WARNING
            _LOG.log(level, FAILED, row.id, error.detail, extra=log_fields(row))
        else:
            if finish is not None:
                yield partial(_finish_or_log, row, finish)
        if time_slice.is_over():
            _LOG.info("The time slice of this batch is over; a sweep renews the rest of it.")
            return


def _finish_or_log(row: TAB_CONNECTIONS, finish: Finish) -> None:
    try:
        finish()
    except (AuthError, SealBroken) as error:
        _LOG.warning(FAILED, row.id, error.detail, extra=log_fields(row))


def renew_connection(
    connection_id: str,
    version: int | None = None,
    *,
    await_others: bool = True,
    limits: RenewalLimits = LIMITS,
) -> Connection:
    """Perform the message of the same name: renew a connection now, due or not, and return it.

    Of all callers that ask for one `version` to be renewed, at once or one after the other, one
    renews it, and the others get its outcome. Without a `version` the present one is meant.
    A caller that does not `await_others` gets ConnectionBusy at once, and keeps no thread waiting.

    Raises:
        ConnectionUnknown: There is no such connection.
        ConnectionBusy, RenewalFailing: A concurrent renewal takes long, or has failed.
        RenewalTooSoon, ProviderPaused: The provider is not to be asked now.
        RefreshTokenMissing: There is nothing to renew it with.
        ReauthorizationRequired: Only the user can bring the connection back.
        AuthorizationPending, AccessDenied, ExpiredToken: It waits for a device, or got no token.
        ProviderUnreachable, ProviderMisbehaved, ProviderRefused: The provider's part failed.
    """
    row = find_connection(connection_id)
    if version is None or row.version <= version:
        seconds = limits.concurrent_seconds if await_others else 0
        row = _renew_or_await(row, utc_now(), seconds, limits)
    return describe_connection(row)


def _renew_or_await(
    row: TAB_CONNECTIONS, now: datetime, seconds: float, limits: RenewalLimits
) -> TAB_CONNECTIONS:
    """Renew a connection, or wait up to `seconds` for the process that renews it already."""
    check_device(row, now)
    # A connection that was moved in without a token has had no renewal that a gap could follow.
    is_new = row.access_token is None
    is_active = row.status == ConnectionStatus.ACTIVE and not is_new
    if is_active and now < row.updated_at + minimum_gap(row.provider):
        raise RenewalTooSoon
    with hold_connection():
        lease = claim_unstarted(row.id, row.version, now, lease_end(now))
    if lease is None or not renew_leased(lease, now, limits):
        return wait_for_concurrent_renewal(row, seconds)
    return find_connection(row.id)
