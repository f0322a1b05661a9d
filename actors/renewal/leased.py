"""Renewal under a lease: asks the provider for a new grant and records the outcome."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Final, TypeAlias

from actors.connections.errors import RenewalBroken
from actors.errors import AuthError
from actors.providers.config.breaker import record_unusable_provider
from actors.providers.config.cache import ProviderCache
from actors.renewal.attempt import Renewal, begin
from actors.renewal.late import hasten_probe, wait_for_late_answer
from actors.renewal.limits import LIMITS, RenewalLimits
from actors.renewal.outcomes.counting import count_failure, count_lost_lease
from actors.renewal.outcomes.failures import record_failure
from actors.renewal.outcomes.grants import store_grant
from actors.renewal.request import prepare_renewal
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError, SealBroken
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from models.renewal.journal import Attempt
from models.renewal.leases import Lease, find_leased

#: Waits until the grant of one renewal is stored.
Finish: TypeAlias = Callable[[], None]

_LOG = logging.getLogger(__name__)
FAILED: Final = "Renewing connection %s failed: %s"


def renew_leased(lease: Lease, now: datetime, limits: RenewalLimits = LIMITS) -> bool:
    """Renew one leased connection and record the outcome; return false if the lease was lost.

    Raises:
        ReauthorizationRequired: The provider says that the grant is gone.
        CatFeederError: Anything else that prevented the renewal; it will be tried again.
        DatabaseUnreachable: The database is away; the provider's answer is kept.
    """
    with hold_connection():
        row = find_leased(lease)
    finish = None if row is None else begin_renewal(lease, row, now, ProviderCache(), limits)
    if finish is not None:
        finish()
    return finish is not None


def begin_renewal(
    lease: Lease, row: TAB_CONNECTIONS, now: datetime, memory: ProviderCache, limits: RenewalLimits
) -> Finish | None:
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
        if renewal is None:
            count_lost_lease(row.provider, "begin")
            return None
        return _perform(renewal, row, now, limits)
    count_failure(row.provider, failure)
    if failure is not None:
        raise failure
    return None


def _perform(
    renewal: Renewal, row: TAB_CONNECTIONS, now: datetime, limits: RenewalLimits
) -> Finish:
    try:
        with _unexpected_as_renewal_broken(row):
            grant = renewal.obtain_grant(now)
    except (AuthError, SealBroken) as error:
        if wait_for_late_answer(renewal, partial(_conclude_late, renewal, row, now, limits)):
            raise
        failure = record_failure(renewal.attempt, row, error, now, limits)
        count_failure(row.provider, failure)
        renewal.keeper.discard_file()
    else:
        wait_until_stored = store_grant(renewal.attempt, row, grant, now, limits)
        return partial(_finish, wait_until_stored, renewal)
    if failure is not None:
        raise failure
    return do_nothing


def do_nothing() -> None:
    """Finish no renewal."""


def _conclude_late(
    renewal: Renewal, row: TAB_CONNECTIONS, now: datetime, limits: RenewalLimits
) -> None:
    """Receive a late answer, and record what came of the renewal."""
    try:
        with _unexpected_as_renewal_broken(row):
            grant = renewal.receive_late_grant()
    except (AuthError, SealBroken) as error:
        count_failure(row.provider, record_failure(renewal.attempt, row, error, now, limits))
        renewal.keeper.discard_file()
        _LOG.warning(FAILED, row.id, error.detail, extra=log_fields(row))
    else:
        _finish(store_grant(renewal.attempt, row, grant, now, limits), renewal)
        text = "The provider's answer for connection %s came late, and its token is stored."
        _LOG.info(text, row.id, extra=log_fields(row))
        hasten_probe(row.provider, utc_now())


def _finish(wait_until_stored: Finish, renewal: Renewal) -> None:
    wait_until_stored()
    renewal.keeper.discard_file()


def log_fields(row: TAB_CONNECTIONS) -> dict[str, str]:
    """Return the ids that a log line about a connection carries."""
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
        _LOG.error(text, row.id, name, where, extra=log_fields(row))
        raise RenewalBroken from None
