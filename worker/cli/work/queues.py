"""`queues`: what waits, pauses by hand, and what becomes of dead letters."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace as change
from datetime import datetime
from typing import Final

import redis

from actors.apps.registration import describe_app
from actors.queue import bodies
from actors.queue.dead_letters import DeadLetters
from catfeeder.clock import utc_now
from catfeeder.messages import QUEUES
from models.db.database import ensure_open
from models.db.errors import DatabaseUnreachable
from worker.cli.terminal.output import print_json, print_rows
from worker.cli.terminal.session import connect_queue, open_tables
from worker.errors import QueueUnknown
from worker.queue import pauses
from worker.queue.changes import discard_letters, replay_letters
from worker.queue.report import DeadLetter, Queue, describe_dead_letters, describe_queues

_QUEUE_HEADS: Final = (
    *("QUEUE", "MESSAGES", "OLDEST", "WORKERS", "PER SECOND", "STATE", "DEAD LETTERS"),
)
_LETTER_HEADS: Final = (
    *("ID", "DIED AT", "ACTOR", "APP", "JOB", "REASON", "DETAIL", "PROVIDER", "CONNECTIONS"),
)


def print_queues(*, as_json: bool) -> int:
    """Print a report of each queue.

    Raises:
        ConfigurationError: A setting cannot be used.
        QueueUnreachable: The broker did not answer.
    """
    described = describe_queues(connect_queue().broker, utc_now())
    if as_json:
        print_json({"items": described})
    else:
        print_rows(_QUEUE_HEADS, map(_to_row, described))
    return 0


def _to_row(queue: Queue) -> tuple[object, ...]:
    oldest = queue["oldest_seconds"]
    reasons = queue["dead_letters"].items()
    return (
        *(queue["queue"], queue["messages"], None if oldest is None else f"{oldest:.1f} s"),
        *(queue["workers"], queue["per_second"], "paused" if queue["paused"] else "worked off"),
        ", ".join(f"{count} {reason}" for reason, count in reasons) or "none",
    )


def pause_queue(queue: str, *, as_json: bool) -> int:
    """Pause a queue.

    Raises:
        QueueUnknown, QueueNotPausable: There is no such queue, or it carries the schedule.
        ConfigurationError, QueueUnreachable, DatabaseUnreachable: A part cannot be used.
    """
    done = f"No worker fetches from {queue} until `python -m worker queues resume {queue}`."
    return _change(pauses.pause_queue, queue, done, as_json)


def resume_queue(queue: str, *, as_json: bool) -> int:
    """Resume a queue.

    Raises:
        QueueUnknown: There is no such queue.
        ConfigurationError, QueueUnreachable, DatabaseUnreachable: A part cannot be used.
    """
    return _change(pauses.resume_queue, queue, f"Workers fetch from {queue}.", as_json)


def _change(
    act: Callable[[redis.Redis, str, datetime], object], queue: str, done: str, as_json: bool
) -> int:
    """Pause or resume a queue, and print its state, or that it is `done`."""
    _check(queue)
    open_tables()
    client = connect_queue()
    act(client.redis, queue, utc_now())
    if as_json:
        items = describe_queues(client.broker, utc_now())
        print_json(next(item for item in items if item["queue"] == queue))
    else:
        print(done)
    return 0


def print_letters(
    queue: str, app: str | None, limit: int, cursor: str | None, *, as_json: bool
) -> int:
    """Print a queue's dead letters, the latest first; with an `app`, its own alone.

    Raises:
        QueueUnknown, AppUnknown, CursorInvalid: There is no such queue, app or page.
        ConfigurationError, QueueUnreachable: The broker cannot be used, or did not answer.
    """
    letters = _open_letters(queue, app)
    found, next_cursor = letters.page(queue, cursor, limit)
    described = _describe(found)
    if as_json:
        print_json({"items": described, "next_cursor": next_cursor})
        return 0
    print_rows(_LETTER_HEADS, _to_letter_rows(described))
    rest = f"; --cursor {next_cursor} has more" if next_cursor else ""
    print(f"{len(found)} dead letters{rest}.", file=sys.stderr)
    return 0


def _to_letter_rows(letters: Sequence[DeadLetter]) -> Iterator[tuple[object, ...]]:
    for one in letters:
        yield (
            *(one["id"], one["died_at"], one["actor"], one["app"], one["job_id"], one["reason"]),
            *(one["detail"], one["provider"], one["connection_ids"]),
        )


def replay(queue: str, ids: Sequence[str] | None, app: str | None, *, as_json: bool) -> int:
    """Send dead letters of a queue anew, all of them, or an app's, unless some are named.

    The status is 1 where some cannot be sent; they stay.

    Raises:
        QueueUnknown, AppUnknown: There is no such queue, or app.
        ConfigurationError, QueueUnreachable: The broker cannot be used, or did not answer.
    """
    letters = _open_letters(queue, app)
    sent, left = replay_letters(letters, queue, ids or letters.ids(queue), utc_now())
    if as_json:
        print_json({"replayed": sent, "left": left})
        return 1 if left else 0
    for letter_id in left:
        print(
            f"{letter_id} stays: it is unknown or no message of ours, or its job waits or runs, "
            "or has succeeded.",
            file=sys.stderr,
        )
    print(f"{len(sent)} of {len(sent) + len(left)} messages were sent anew.")
    return 1 if left else 0


def discard(queue: str, ids: Sequence[str] | None, app: str | None, *, as_json: bool) -> int:
    """Delete dead letters of a queue for good, all of them, or an app's, unless some are named.

    The status is 1 where some are unknown.

    Raises:
        QueueUnknown, AppUnknown: There is no such queue, or app.
        ConfigurationError, QueueUnreachable: The broker cannot be used, or did not answer.
    """
    letters = _open_letters(queue, app)
    deleted, unknown = discard_letters(letters, queue, ids or letters.ids(queue), utc_now())
    if as_json:
        print_json({"discarded": deleted, "unknown": unknown})
        return 1 if unknown else 0
    for letter_id in unknown:
        print(f"{letter_id} is unknown.", file=sys.stderr)
    print(f"{len(deleted)} of {len(deleted) + len(unknown)} messages were discarded.")
    return 1 if unknown else 0


def _open_letters(queue: str, app: str | None) -> DeadLetters:
    _check(queue)
    if app is not None:
        ensure_open()
        describe_app(app)
    return DeadLetters(connect_queue().broker, app=app)


def _check(queue: str) -> None:
    if queue not in QUEUES:
        raise QueueUnknown


def _describe(letters: Sequence[bodies.DeadLetter]) -> list[DeadLetter]:
    """Return the reports, with the providers of connections where the database knows them."""
    try:
        ensure_open(may_create=False)
        return describe_dead_letters(letters)
    except DatabaseUnreachable as error:
        print(f"Providers are missing below: {error}", file=sys.stderr)
        return describe_dead_letters([change(one, connection_ids=()) for one in letters])
