"""Changes of work that has been asked for: dead letters replayed or discarded, jobs cancelled.

Each leaves an event with its requester. What is done in Redis stands while the database is away:
then the log has what the event would have said.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from actors.events.audit import record
from actors.events.kinds import EventKind
from actors.queue.dead_letters import DeadLetters
from catfeeder.queue.jobs.store import JobRecord
from catfeeder.queue.requester import act_for
from models.db.database import ensure_open, hold_connection
from models.db.errors import DatabaseMissing, DatabaseUnreachable

_LOG = logging.getLogger(__name__)
#: An event names so many ids; beyond them it has their number alone.
_MAX_NAMED: Final = 20


def replay_letters(
    letters: DeadLetters, queue: str, ids: Iterable[str], now: datetime
) -> tuple[list[str], list[str]]:
    """Send dead letters anew; return the ids of those sent, and of those that stay.

    Raises:
        QueueUnreachable: Redis did not answer; what was not sent is still there.
    """
    sent, left = letters.replay(queue, ids)
    if sent:
        _record(EventKind.DEAD_LETTERS_REPLAYED, now, **_describe(queue, sent))
    return sent, left


def discard_letters(
    letters: DeadLetters, queue: str, ids: Iterable[str], now: datetime
) -> tuple[list[str], list[str]]:
    """Delete dead letters for good; return the ids of those deleted, and the unknown ones.

    Raises:
        QueueUnreachable: Redis did not answer.
    """
    deleted, unknown = letters.discard(queue, ids)
    if deleted:
        _record(EventKind.DEAD_LETTERS_DISCARDED, now, **_describe(queue, deleted))
    return deleted, unknown


def record_cancellation(job: JobRecord, now: datetime) -> None:
    """Record that a job was cancelled at a caller's request."""
    with act_for(job.app):
        _record(EventKind.JOB_CANCELLED, now, job_id=job.id, actor=job.actor)


def _describe(queue: str, ids: list[str]) -> dict[str, Any]:
    named = {"ids": ids} if len(ids) <= _MAX_NAMED else {}
    return {"queue": queue, "count": len(ids), **named}


def _record(kind: EventKind, now: datetime, **detail: Any) -> None:
    try:
        # A command opens no database for what is Redis's alone.
        ensure_open(may_create=False)
        with hold_connection():
            record(kind, now=now, **detail)
    except (DatabaseMissing, DatabaseUnreachable):
        _LOG.warning("The database is away, and lacks the event %s: %s", kind.value, detail)
