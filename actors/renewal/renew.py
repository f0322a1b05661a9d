"""Renewing what was leased: asking the provider, and recording how it went."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any, Final

from actors.connections.reading import describe_connection, find_connection
from actors.errors import AuthError, ProviderPaused, RenewalBroken
from actors.providers.config.breaker import record_unusable_provider
from actors.providers.config.cache import ProviderCache, shared_provider_cache
from actors.providers.config.rates import minimum_gap
from actors.renewal.attempt import Renewal, begin
from actors.renewal.outcomes import record_failure, store_grant
from actors.renewal.recovery import bring_in_answers
from actors.renewal.request import prepare_renewal
from actors.renewal.sweep import lease_end
from actors.renewal.time_slices import Shift
from actors.renewal.waiting import await_winner
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError, SealBroken
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.renewal.journal import Attempt, claim_unstarted
from models.renewal.leases import Lease, find_all_leased, find_leased

#: Waits until what a renewal has brought is stored.
_Finish = Callable[[], None]

_LOG = logging.getLogger(__name__)
_FAILED: Final = "Renewing connection %s failed: %s"


class RenewalTooSoon(AuthError):
    """The provider wants more time between two renewals; the token in hand is its latest."""

    message = "The provider wants more time between two renewals; the token in hand is its latest."

    permanent = False


def renew_connections(leases: list[tuple[str, int, str]]) -> None:
    """Perform the message of the same name: renew each connection that is still leased to us."""
    # Sweeps go round the machines, but a file stays where it is.
    bring_in_answers(utc_now())
    held = [Lease(name, version, datetime.fromisoformat(until)) for name, version, until in leases]
    with hold_connection():
        rows = find_all_leased(held)
    latest: _Finish = _do_nothing
    try:
        for finish in _renewals(held, rows):
            # What the one before has brought was stored by the write that this one began with.
            latest, before = finish, latest
            before()
    finally:
        latest()


def _do_nothing() -> None:
    """Finish no renewal."""


def _renewals(held: list[Lease], rows: Mapping[str, TAB_CONNECTIONS]) -> Iterator[_Finish]:
    """Renew one connection after the other; yield what finishes each that goes well."""
    memory = shared_provider_cache()
    paused: set[str] = set()
    shift = Shift()
    for lease in held:
        row = rows.get(lease.connection_id)
        if row is None or row.provider in paused:
            continue
        try:
            finish = _renew(lease, row, utc_now(), memory)
        except ProviderPaused as error:
            # The leases of the others of this provider run out, and a sweep brings them back.
            _LOG.info("%s", error.detail)
            paused.add(row.provider)
        except (AuthError, SealBroken) as error:
            memory.forget(row.provider)
            _LOG.warning(_FAILED, row.id, error.detail)
        else:
            if finish is not None:
                yield partial(_finish_or_tell, row, finish)
        if shift.is_over():
            _LOG.info("The thread is wanted; a sweep brings back what is left of this batch.")
            return


def _finish_or_tell(row: TAB_CONNECTIONS, finish: _Finish) -> None:
    try:
        finish()
    except (AuthError, SealBroken) as error:
        _LOG.warning(_FAILED, row.id, error.detail)


def renew_connection(
    connection_id: str, version: int | None = None, *, await_others: bool = True
) -> dict[str, Any]:
    """Perform the message of the same name: renew a connection now, due or not, and return it.

    Of all who ask for one `version` to be renewed, at the same time or one after the other, one
    renews it, and the others get what came of that. Without a `version` the present one is meant;
    who asks not to `await_others` is told at once that there are some, and keeps no thread waiting.

    Raises:
        ConnectionUnknown: There is no such connection.
        ConnectionBusy: Somebody else is renewing it, and is not awaited or takes long.
        RenewalFailing: Somebody else was renewing it, and failed.
        RenewalTooSoon: The provider would take it amiss.
        ProviderPaused: The provider is not to be asked now, by anybody.
        ReauthorizationRequired: Only the user can bring it back.
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
    if lease is None or not renew_leased(lease, now):
        return describe_connection(await_winner(row, is_patient=await_others))
    return describe_connection(find_connection(connection_id))


def renew_leased(lease: Lease, now: datetime) -> bool:
    """Renew one leased connection and record how it went; false when the lease was lost before.

    Raises:
        ReauthorizationRequired: The provider says that the grant is gone.
        CatFeederError: Anything else that kept us from renewing; it will be tried again.
        DatabaseUnreachable: The database is away; what the provider answered is kept.
    """
    with hold_connection():
        row = find_leased(lease)
    finish = None if row is None else _renew(lease, row, now, ProviderCache())
    if finish is not None:
        finish()
    return finish is not None


def _renew(
    lease: Lease, row: TAB_CONNECTIONS, now: datetime, memory: ProviderCache
) -> _Finish | None:
    """Renew a connection up to what it brought being stored; None when it was not to be renewed."""
    try:
        with _bugs_told(row):
            request = prepare_renewal(row, now, memory)
    except (AuthError, SealBroken) as error:
        if isinstance(error, AuthError):
            record_unusable_provider(row.provider, row.id, error, now)
        _raise(record_failure(Attempt(lease, now, tries=0), row, error, now))
        return None
    # We may have waited for the database, and the lease is to last for the whole call.
    renewal = begin(request, lease, max(now, utc_now()))
    return None if renewal is None else _carry_through(renewal, row, now)


def _carry_through(renewal: Renewal, row: TAB_CONNECTIONS, now: datetime) -> _Finish:
    try:
        with _bugs_told(row):
            grant = renewal.grant(now)
    except (AuthError, SealBroken) as error:
        failure = record_failure(renewal.attempt, row, error, now)
        renewal.keeper.let_go()
        _raise(failure)
        return _do_nothing
    wait_until_stored = store_grant(renewal.attempt, row, grant, now)

    def finish() -> None:
        wait_until_stored()
        renewal.keeper.let_go()

    return finish


@contextmanager
def _bugs_told(row: TAB_CONNECTIONS) -> Iterator[None]:
    """Let what nobody foresaw cost one connection a delay, and not the rest of its batch a lease.

    An exception's text may quote an answer; a traceback's lines are those of the source.
    """
    try:
        yield
    except CatFeederError:
        raise
    except Exception as error:  # noqa: BLE001
        where = "".join(traceback.format_tb(error.__traceback__))
        _LOG.error("Renewing %s met a %s:\n%s", row.id, type(error).__name__, where)
        raise RenewalBroken from None


def _raise(failure: CatFeederError | None) -> None:
    if failure is not None:
        raise failure
