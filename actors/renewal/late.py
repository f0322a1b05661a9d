"""Wait for a late answer: a thread holds the lease until the tokens come, or will not come."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final

from actors.errors import FailureKind
from actors.renewal.attempt import Renewal
from catfeeder.errors import CatFeederError
from config import current_settings
from models.db.database import hold_connection
from models.oauth.provider_health import TAB_PROVIDER_HEALTH

_LOG: Final = logging.getLogger(__name__)
#: Late answers that one process waits for, as each takes two threads.
_WAITERS: Final = threading.BoundedSemaphore(128)
_THREAD_NAME: Final = "late-answer"


def wait_for_late_answer(renewal: Renewal, conclude: Callable[[], None]) -> bool:
    """Wait in the background for an answer that has not come in time, then call `conclude`.

    `conclude` reads the answer, and records what came of the renewal. The lease is prolonged
    until then, so no other renewal sends the token, which may be spent.

    Returns:
        False where there is no answer to wait for: the caller records the failure itself.
    """
    if not renewal.late.is_expected:
        return False
    if not _WAITERS.acquire(blocking=False):
        renewal.late.close()
        return False
    for target in (_hold_lease, _run):
        arguments = (renewal,) if target is _hold_lease else (renewal, conclude)
        threading.Thread(target=target, args=arguments, name=_THREAD_NAME, daemon=True).start()
    return True


def finish_late_answers() -> None:
    """Return once no late answer is waited for, after `late_answer_seconds` at most.

    A program without a service calls it at its end: with it would end the threads that wait, and
    the tokens that replace the spent ones would be lost.
    """
    for thread in threading.enumerate():
        if thread.name == _THREAD_NAME:
            thread.join()


def hasten_probe(provider: str, now: datetime) -> None:
    """Let the next renewal probe a provider that was paused as unreachable: it answers again.

    The breaker stays open until the probe: answers that are late each time would else never stop
    the renewals, however few of them can be waited for.

    Raises:
        DatabaseUnreachable: The database is away.
    """
    with hold_connection():
        health = TAB_PROVIDER_HEALTH.find(provider)
        if health.kind == FailureKind.TRANSIENT:
            health.hasten_probe(now)


def _hold_lease(renewal: Renewal) -> None:
    interval = current_settings().oauth.lease_seconds / 3
    while not renewal.is_answered.wait(interval):
        try:
            renewal.prolong_lease()
        except CatFeederError as error:
            # Recovery finds the renewal if the lease runs out, and the answer if it comes.
            _LOG.warning("The lease of a late renewal was not prolonged: %s", error.detail)


def _run(renewal: Renewal, conclude: Callable[[], None]) -> None:
    try:
        conclude()
    except CatFeederError as error:
        _LOG.warning("The outcome of a late renewal was not recorded: %s", error.detail)
    finally:
        renewal.is_answered.set()
        _WAITERS.release()
