"""Sweeping for connections that are due, and spreading their renewal over the workers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import dramatiq

from catfeeder.broker import new_message
from catfeeder.jobs import utc_now
from catfeeder.messages import RENEW_CONNECTIONS
from config import current_settings
from models.database import connected
from models.leases import Lease, claim_due


def renew_oaths() -> None:
    """Perform the message of the same name: lease what is due and spread it over the workers."""
    sweep(utc_now(), _send)


def _send(leases: list[Lease]) -> None:
    batch = [[lease.connection_id, lease.version, lease.until.isoformat()] for lease in leases]
    dramatiq.get_broker().enqueue(new_message(RENEW_CONNECTIONS, {"leases": batch}))


def sweep(now: datetime, emit: Callable[[list[Lease]], None]) -> int:
    """Lease everything that is due, hand it over batch by batch, and return how much that was.

    What is handed over and lost comes back when its lease runs out.
    """
    count = 0
    while batch := _claim_batch(now):
        emit(batch)
        count += len(batch)
    return count


def _claim_batch(now: datetime) -> list[Lease]:
    with connected():
        return claim_due(now, lease_end(now), current_settings().oauth.renewal_batch)


def lease_end(now: datetime) -> datetime:
    """Return until when a lease lasts that is taken `now`."""
    return now + timedelta(seconds=current_settings().oauth.lease_seconds)
