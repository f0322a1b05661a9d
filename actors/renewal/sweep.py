"""Sweep: leases the connections that are due, a fair share per provider, and enqueues them."""

from __future__ import annotations

import random
import sys
from datetime import datetime
from typing import cast

import dramatiq

from actors.providers.config.rates import allowances
from actors.renewal.batches import Emit, emit_in_batches
from actors.renewal.kept_answers import recover
from actors.renewal.limits import LIMITS, RenewalLimits, lease_end
from catfeeder.clock import utc_now
from catfeeder.messages import RENEW_CONNECTIONS, RENEW_OATHS
from catfeeder.queue.broker import SealedBroker, build_message
from config import current_settings
from models.db.database import hold_connection
from models.renewal.leases import Lease
from models.renewal.sweeps import claim_due, list_due_providers


def renew_oaths(limits: RenewalLimits = LIMITS) -> None:
    """Perform the message of the same name: lease what is due and spread it over the workers.

    Where more is due than the queue has room for, the workers ask for the next sweep before they
    have worked this one off, so that the interval of the schedule bounds no rate.
    """
    recover_renewals(limits)
    free_messages = max(limits.maximum_messages - _count_waiting(), 0)
    batch = current_settings().oauth.renewal_batch
    marked = max(free_messages - limits.messages_at_next_sweep, 1)
    sweep(utc_now(), _with_next_sweep(marked * batch), free_messages * batch, limits)


def _count_waiting() -> int:
    return cast("SealedBroker", dramatiq.get_broker()).depth(RENEW_CONNECTIONS.queue)


def _with_next_sweep(count: int) -> Emit:
    """Return a function that enqueues batches, and asks for a sweep behind so many leases."""
    left = count

    def emit(leases: list[Lease]) -> None:
        nonlocal left
        _enqueue(leases)
        left -= len(leases)
        if left <= 0 < left + len(leases):
            _enqueue([])

    return emit


def recover_renewals(limits: RenewalLimits = LIMITS) -> None:
    """Enqueue the interrupted renewals, as each process does when it starts."""
    now = utc_now()
    recover(now, lease_end(now), _enqueue, limits)


def follow_mark(limits: RenewalLimits) -> None:
    """Enqueue a sweep beside those of the schedule, unless the queue holds a later mark.

    Behind the last one are never as many messages: a tick of the schedule has found room since, and
    its sweep has set a mark of its own, or has found no more that is due.
    """
    if _count_waiting() <= limits.maximum_messages // 2:
        dramatiq.get_broker().enqueue(build_message(RENEW_OATHS, {}))


def _enqueue(leases: list[Lease]) -> None:
    """Enqueue a batch; an empty one is the mark at which a worker asks for the next sweep."""
    batch = [[lease.connection_id, lease.version, lease.until.isoformat()] for lease in leases]
    dramatiq.get_broker().enqueue(build_message(RENEW_CONNECTIONS, {"leases": batch}))


def sweep(
    now: datetime, emit: Emit, room: int = sys.maxsize, limits: RenewalLimits = LIMITS
) -> int:
    """Lease up to `room` connections that are due, `emit` them in batches, and return how many.

    Each provider gets an equal share of the room, and what one leaves is for the others: a million
    connections of one provider keep no other's waiting. A provider whose renewals are paused is
    passed over, and one with a rate gets what is left of it. A batch that is lost comes back when
    its leases run out.

    Raises:
        DatabaseUnreachable: The database is away.
    """
    with hold_connection():
        left = allowances(list_due_providers(now), now)
    names = list(left)
    random.shuffle(names)  # The last ones may find no room left.
    count = 0
    while names and count < room:
        share = -(-(room - count) // len(names))
        unfinished = []
        for name in names:
            wanted = min(share, room - count, left[name], limits.maximum_leases)
            claimed = _claim_and_emit(name, now, emit, wanted, limits)
            count, left[name] = count + claimed, left[name] - claimed
            if claimed == wanted and left[name]:
                unfinished.append(name)
        names = unfinished
    return count


def _claim_and_emit(
    provider: str, now: datetime, emit: Emit, maximum: int, limits: RenewalLimits
) -> int:
    with hold_connection():
        leases = claim_due(provider, now, lease_end(now), maximum)
    emit_in_batches(leases, emit, limits.minimum_messages)
    return len(leases)
