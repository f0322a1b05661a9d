"""`python -m worker queues`, `replay` and `discard`: queues, and what becomes of dead letters."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from actors.apps import describe_app
from actors.queue import bodies
from actors.queue.dead_letters import DeadLetters
from catfeeder.clock import utc_now
from catfeeder.errors import QueueUnreachable
from catfeeder.messages import QUEUES
from catfeeder.queue.broker import SealedBroker
from catfeeder.queue.encoder import SealedEncoder
from catfeeder.queue.redis_connection import connect_redis
from config import Settings, current_settings
from models.db.database import ensure_open
from models.db.errors import DatabaseUnreachable
from worker.errors import QueueUnknown
from worker.queue import queue_sealer
from worker.queue_report import DeadLetter, describe_dead_letters, describe_queues
from worker.supervisor.valkey.embedded import find_running_url

_QUEUE: Final = "{queue:<10} {messages:>8} {oldest:>9} {workers:>7} {per_second:>10}  {dead}"
_AT_REST: Final = (
    "The service of this VAR_DIR does not run: start it by `make run`; or set REDIS_URL, if its "
    "broker is another one."
)
_LETTER: Final = "{id:<36}  {died_at:<24}  {actor:<16}  {job_id:<36}  {reason}"


def print_queues(queue: str | None, limit: int, app: str | None) -> int:
    """Print a report of each queue; or of one queue its dead letters, the latest first.

    With an `app`, its dead letters alone.

    Raises:
        ConfigurationError: A setting cannot be used.
        QueueUnknown, AppUnknown: There is no such queue, or app.
        QueueUnreachable: The broker did not answer.
    """
    broker = _broker(current_settings())
    if queue is None:
        _print_reports(broker)
    else:
        _check(queue, app)
        _print_letters(DeadLetters(broker, app=app), queue, limit)
    return 0


def replay(queue: str, ids: Sequence[str] | None, app: str | None) -> int:
    """Send dead letters of a queue anew, all of them, or an app's, unless some are named.

    The status is 1 where some cannot be sent; they stay.

    Raises:
        ConfigurationError: A setting cannot be used.
        QueueUnknown, AppUnknown: There is no such queue, or app.
        QueueUnreachable: The broker did not answer.
    """
    _check(queue, app)
    letters = DeadLetters(_broker(current_settings()), app=app)
    sent, left = letters.replay(queue, ids or letters.ids(queue))
    for letter_id in left:
        print(
            f"{letter_id} stays: it is unknown or no message of ours, or its job waits or runs, "
            "or has succeeded.",
            file=sys.stderr,
        )
    print(f"{len(sent)} of {len(sent) + len(left)} messages were sent anew.")
    return 1 if left else 0


def discard(queue: str, ids: Sequence[str] | None, app: str | None) -> int:
    """Delete dead letters of a queue for good, all of them, or an app's, unless some are named.

    The status is 1 where some are unknown.

    Raises:
        ConfigurationError: A setting cannot be used.
        QueueUnknown, AppUnknown: There is no such queue, or app.
        QueueUnreachable: The broker did not answer.
    """
    _check(queue, app)
    letters = DeadLetters(_broker(current_settings()), app=app)
    deleted, unknown = letters.discard(queue, ids or letters.ids(queue))
    for letter_id in unknown:
        print(f"{letter_id} is unknown.", file=sys.stderr)
    print(f"{len(deleted)} of {len(deleted) + len(unknown)} messages were discarded.")
    return 1 if unknown else 0


def _broker(settings: Settings) -> SealedBroker:
    url = settings.redis_url or find_running_url(settings.var_dir)
    if settings.redis_url is None and not Path(unquote(urlsplit(url).path)).exists():
        raise QueueUnreachable(_AT_REST)
    return SealedBroker(connect_redis(url), SealedEncoder(queue_sealer(settings)))


def _print_reports(broker: SealedBroker) -> None:
    heads = {"queue": "QUEUE", "messages": "MESSAGES", "oldest": "OLDEST", "workers": "WORKERS"}
    print(_QUEUE.format(**heads, per_second="PER SECOND", dead="DEAD LETTERS"))
    for described in describe_queues(broker, utc_now()):
        oldest = described["oldest_seconds"]
        reasons = described["dead_letters"].items()
        dead = ", ".join(f"{count} {reason}" for reason, count in reasons) or "none"
        shown = "-" if oldest is None else f"{oldest:.1f} s"
        print(_QUEUE.format(**described, oldest=shown, dead=dead))


def _check(queue: str, app: str | None) -> None:
    if queue not in QUEUES:
        raise QueueUnknown
    if app is not None:
        ensure_open()
        describe_app(app)


def _print_letters(letters: DeadLetters, queue: str, limit: int) -> None:
    found, cursor = letters.page(queue, None, limit)
    for report in _describe(found):
        shown = {name: _escape(str(value or "-")) for name, value in report.items()}
        print(_LETTER.format(**shown))
        if report["detail"]:
            print(f"{'':<38}{report['detail']}")
        if report["provider"] or report["connection_ids"]:
            connections = _escape(", ".join(report["connection_ids"]) or "-")
            print(f"{'':<38}provider: {shown['provider']}, connections: {connections}")
    rest = "; --limit leaves out more" if cursor else ""
    print(f"{len(found)} dead letters{rest}.", file=sys.stderr)


def _describe(letters: Sequence[bodies.DeadLetter]) -> list[DeadLetter]:
    """Return the reports, with the providers of connections where the database knows them."""
    try:
        ensure_open(may_create=False)
        return describe_dead_letters(letters)
    except DatabaseUnreachable as error:
        print(f"Providers are missing below: {error}", file=sys.stderr)
        return describe_dead_letters([replace(one, connection_ids=()) for one in letters])


def _escape(text: str) -> str:
    """Return a text without control characters for a terminal; other programs chose the ids."""
    return "".join(character if character.isprintable() else "?" for character in text)
