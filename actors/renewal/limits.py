"""Limits of renewal: how long each wait may last, how much one sweep sends, how long a lease is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from config import current_settings


@dataclass(frozen=True, slots=True)
class RenewalLimits:
    """What is waited for, in seconds, and how many messages and rows a sweep deals with."""

    #: For the database to take an answer, before it goes to a file; a process that is killed while
    #: the database hangs for longer loses nothing.
    answer_seconds: float = 3.0
    #: For a database that is away to take the outcome; the answer is in the journal or in a file.
    outcome_seconds: float = 10.0
    #: For another thread's renewal of the same connection; a healthy provider answers within it.
    concurrent_seconds: float = 8.0
    #: For one message while others wait: as long as one call may take. A provider that answers at
    #: once is done with its batch long before.
    slice_seconds: float = 15.0
    #: Messages that share what a sweep has leased, however little it is.
    minimum_messages: int = 16
    #: Messages that may wait for a worker. What is leased must be worked off before its lease runs
    #: out; what is not leased waits in the database as well as in the queue.
    maximum_messages: int = 200
    #: Messages that still wait when the next sweep is asked for, if more is due than one sweep may
    #: lease: enough to keep the workers busy until its batches arrive.
    messages_at_next_sweep: int = 75
    #: Connections that one statement leases; on SQLite all other writers wait meanwhile.
    maximum_leases: int = 2500


LIMITS: Final = RenewalLimits()


def lease_end(now: datetime) -> datetime:
    """Return the end of a lease that begins `now`."""
    return now + timedelta(seconds=current_settings().oauth.lease_seconds)
