"""Renewal under a lease: asks the provider for a new grant and records the outcome."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Final

from actors.connections.errors import RenewalBroken
from actors.connections.reading import describe_connection, find_connection
from actors.errors import AuthError, ProviderPaused
from actors.providers.config.breaker import record_unusable_provider
from actors.providers.config.cache import ProviderCache, shared_provider_cache
from actors.providers.config.rates import minimum_gap
from actors.renewal.attempt import Renewal, begin
from actors.renewal.batches import TimeSlice
from actors.renewal.kept_answers import import_answer_files
from actors.renewal.late import wait_for_late_answer
from actors.renewal.limits import LIMITS, RenewalLimits, lease_end
from actors.renewal.outcomes.failures import record_failure
from actors.renewal.outcomes.grants import store_grant
from actors.renewal.request import RefreshTokenMissing, prepare_renewal
from actors.renewal.sweep import request_sweep
from actors.renewal.waiting import wait_for_concurrent_renewal
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError, SealBroken
from catfeeder.results import Connection
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.renewal.journal import Attempt, claim_unstarted
from models.renewal.leases import Lease, find_all_leased, find_leased

#: Waits until the grant of one renewal is stored.
_Finish = Callable[[], None]

_LOG = logging.getLogger(__name__)
_FAILED: Final = "Renewing connection %s failed: %s"


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
        request_sweep()
    # Any machine may perform a sweep, but an answer file stays on its own.
    import_answer_files(utc_now())
    held = [Lease(name, version, datetime.fromisoformat(until)) for name, version, until in leases]
    with hold_connection():
        rows = find_all_leased(held)
    latest: _Finish = _do_nothing
    try:
        for finish in _renew_each(held, rows, limits):
            # The write that began this renewal has stored the grant of the previous one.
            latest, previous = finish, latest
            previous()
    finally:
        latest()


def _do_nothing() -> None:
    """Finish no renewal."""


def _renew_each(
    held: list[Lease], rows: Mapping[str, TAB_CONNECTIONS], limits: RenewalLimits
) -> Iterator[_Finish]:
    """Renew one connection after the other; yield what finishes each that goes well."""
    memory = shared_provider_cache()
    paused: set[str] = set()
    time_slice = TimeSlice(limits.slice_seconds)
    for lease in held:
        row = rows.get(lease.connection_id)
        if row is None or row.provider in paused:
            continue
        try:
            finish = _renew(lease, row, utc_now(), memory, limits)
        except ProviderPaused as error:
            # The leases of this provider's other connections run out, and a sweep renews them.
            _LOG.info("%s", error.detail, extra=_log_fields(row))
            paused.add(row.provider)
        except (AuthError, SealBroken) as error:
            memory.forget(row.provider)
            # That a token runs out which nothing can renew is no failure.
            level = logging.DEBUG if isinstance(error, RefreshTokenMissing) else logging.WARNING
            _LOG.log(level, _FAILED, row.id, error.detail, extra=_log_fields(row))
        else:
            if finish is not None:
                yield partial(_finish_or_log, row, finish)
        if time_slice.is_over():
            _LOG.info("The time slice of this batch is over; a sweep renews the rest of it.")
            return


def _finish_or_log(row: TAB_CONNECTIONS, finish: _Finish) -> None:
    try:
        finish()
    except (AuthError, SealBroken) as error:
        _LOG.warning(_FAILED, row.id, error.detail, extra=_log_fields(row))


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
        ConnectionBusy: A concurrent renewal is not awaited, or takes long.
        RenewalFailing: A concurrent renewal failed.
        RenewalTooSoon: The provider wants more time between two renewals.
        ProviderPaused: The provider is not to be asked now.
        RefreshTokenMissing: There is nothing to renew it with.
        ReauthorizationRequired: Only the user can bring the connection back.
        ProviderUnreachable, ProviderMisbehaved, ProviderRefused: The provider's part failed.
    """
    now = utc_now()
    row = find_connection(connection_id)
    if version is not None and row.version > version:
        return describe_connection(row)
    if row.status == ConnectionStatus.ACTIVE and now < row.updated_at + minimum_gap(row.provider):
        raise RenewalTooSoon
    with hold_connection():
        lease = claim_unstarted(connection_id, row.version, now, lease_end(now))
    if lease is None or not renew_leased(lease, now, limits):
        seconds = limits.concurrent_seconds if await_others else 0
        return describe_connection(wait_for_concurrent_renewal(row, seconds))
    return describe_connection(find_connection(connection_id))


def renew_leased(lease: Lease, now: datetime, limits: RenewalLimits = LIMITS) -> bool:
    """Renew one leased connection and record the outcome; return false if the lease was lost.

    Raises:
        ReauthorizationRequired: The provider says that the grant is gone.
        CatFeederError: Anything else that prevented the renewal; it will be tried again.
        DatabaseUnreachable: The database is away; the provider's answer is kept.
    """
    with hold_connection():
        row = find_leased(lease)
    finish = None if row is None else _renew(lease, row, now, ProviderCache(), limits)
    if finish is not None:
        finish()
    return finish is not None


def _renew(
    lease: Lease, row: TAB_CONNECTIONS, now: datetime, memory: ProviderCache, limits: RenewalLimits
) -> _Finish | None:
    """Renew a connection and begin to store its grant; return None if the lease was lost."""
    try:
        with _unexpected_as_renewal_broken(row):
            request = prepare_renewal(row, now, memory)
    except (AuthError, SealBroken) as error:
        if isinstance(error, AuthError):
            record_unusable_provider(row.provider, row.id, error, now)
        failure = record_failure(Attempt(lease, now, tries=0), row, error, now, limits)
    else:
        # The database may have kept this thread waiting, and the lease is to last for the call.
        renewal = begin(request, lease, max(now, utc_now()), limits)
        return None if renewal is None else _perform(renewal, row, now, limits)
    if failure is not None:
        raise failure
    return None


def _perform(
    renewal: Renewal, row: TAB_CONNECTIONS, now: datetime, limits: RenewalLimits
) -> _Finish:
    try:
        with _unexpected_as_renewal_broken(row):
            grant = renewal.obtain_grant(now)
    except (AuthError, SealBroken) as error:
        if wait_for_late_answer(renewal, partial(_conclude_late, renewal, row, now, limits)):
            raise
        failure = record_failure(renewal.attempt, row, error, now, limits)
        renewal.keeper.discard_file()
    else:
        wait_until_stored = store_grant(renewal.attempt, row, grant, now, limits)
        return partial(_finish, wait_until_stored, renewal)
    if failure is not None:
        raise failure
    return _do_nothing


def _conclude_late(
    renewal: Renewal, row: TAB_CONNECTIONS, now: datetime, limits: RenewalLimits
) -> None:
    """Receive a late answer, and record what came of the renewal."""
    try:
        with _unexpected_as_renewal_broken(row):
            grant = renewal.receive_late_grant()
    except (AuthError, SealBroken) as error:
        record_failure(renewal.attempt, row, error, now, limits)
        renewal.keeper.discard_file()
        _LOG.warning(_FAILED, row.id, error.detail, extra=_log_fields(row))
    else:
        _finish(store_grant(renewal.attempt, row, grant, now, limits), renewal)
        text = "The provider's answer for connection %s came late, and its token is stored."
        _LOG.info(text, row.id, extra=_log_fields(row))


def _finish(wait_until_stored: _Finish, renewal: Renewal) -> None:
    wait_until_stored()
    renewal.keeper.discard_file()


def _log_fields(row: TAB_CONNECTIONS) -> dict[str, str]:
    return {"connection_id": row.id, "provider": row.provider}


@contextmanager
def _unexpected_as_renewal_broken(row: TAB_CONNECTIONS) -> Iterator[None]:
    """Turn an unforeseen error into RenewalBroken, so that it fails one connection of a batch.

    An exception's text may quote an answer; a traceback's lines quote the source alone.
    """
    try:
        yield
    except CatFeederError:
        raise
    except Exception as error:  # noqa: BLE001
        where = "".join(traceback.format_tb(error.__traceback__))
        text, name = "Renewing %s met a %s:\n%s", type(error).__name__
        _LOG.error(text, row.id, name, where, extra=_log_fields(row))
        raise RenewalBroken from None
