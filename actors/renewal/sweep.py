"""Sweeping for connections that are due, and spreading their renewal over the workers."""

from __future__ import annotations

import random
import sys
from datetime import datetime, timedelta
from typing import Final, cast

import dramatiq

from actors.providers.config.rates import allowances
from actors.renewal.batches import Emit, hand_over
from actors.renewal.recovery import recover
from catfeeder.broker import SealedBroker, build_message
from catfeeder.clock import utc_now
from catfeeder.messages import RENEW_CONNECTIONS
from config import current_settings
from models.db.database import hold_connection
from models.renewal.leases import MAX_ROWS_PER_STATEMENT, Lease, claim_due, list_due_providers

#: Messages that wait for a worker. What is leased must be worked off before its lease runs out;
#: what is not leased waits in the database as well as in the queue.
_MOST_WAITING: Final = 200


def renew_oaths() -> None:
    """Perform the message of the same name: lease what is due and spread it over the workers."""
    recover_renewals()
    now = utc_now()
    waiting = cast("SealedBroker", dramatiq.get_broker()).depth(RENEW_CONNECTIONS.queue)
    room = max(_MOST_WAITING - waiting, 0) * current_settings().oauth.renewal_batch
    sweep(now, _send, room)


def recover_renewals() -> None:
    """Lease what was cut off and spread it over the workers, as a process does when it starts."""
    now = utc_now()
    recover(now, lease_end(now), _send)


def _send(leases: list[Lease]) -> None:
    batch = [[lease.connection_id, lease.version, lease.until.isoformat()] for lease in leases]
    dramatiq.get_broker().enqueue(build_message(RENEW_CONNECTIONS, {"leases": batch}))


def sweep(now: datetime, emit: Emit, room: int = sys.maxsize) -> int:
    """Lease what is due, `room` connections at most, and hand it over batch by batch.

    Each provider has its share of the room, and what one leaves is for the others: a million of
    one provider's do not keep another's waiting. A provider whose renewals are paused is passed
    over, and one with a rate gets what is left of it. What is handed over and lost comes back when
    its lease runs out.

    Returns:
        How many connections that were.
    """
    with hold_connection():
        left = allowances(list_due_providers(now), now)
    names = list(left)
    random.shuffle(names)  # Whoever is last may find no room left.
    count = 0
    while names and count < room:
        share = -(-(room - count) // len(names))
        has_more = []
        for name in names:
            wanted = min(share, room - count, left[name], MAX_ROWS_PER_STATEMENT)
            claimed = _hand_over(name, now, emit, wanted)
            count, left[name] = count + claimed, left[name] - claimed
            if claimed == wanted and left[name]:
                has_more.append(name)
        names = has_more
    return count


def _hand_over(provider: str, now: datetime, emit: Emit, limit: int) -> int:
    """Lease up to `limit` of a provider's connections and hand them over; return how many."""
    with hold_connection():
        leases = claim_due(provider, now, lease_end(now), limit)
    hand_over(leases, emit)
    return len(leases)


def lease_end(now: datetime) -> datetime:
    """Return until when a lease lasts that is taken `now`."""
    return now + timedelta(seconds=current_settings().oauth.lease_seconds)
