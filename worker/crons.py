"""Periodic schedule: the thread that emits each message at its interval."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from actors.telemetry.metrics import TICKS
from catfeeder.client import Client
from catfeeder.clock import utc_now
from catfeeder.errors import OperatorError, QueueUnreachable
from catfeeder.messages import POLL_DEVICES, MessageType
from config import current_settings
from models.crons import (
    claim_stalled_tick,
    claim_tick,
    ensure_cron,
    list_next_ticks,
    return_tick,
)
from models.db.database import ensure_open, hold_connection
from models.migrate import ensure_tables
from models.oauth.devices import has_due_polls
from worker.boot import is_emission_over
from worker.consuming.start_checks.durability import describe_risks
from worker.process_list import ProcessAnnouncer
from worker.queue.client import connect_queue
from worker.queue.key_list import KeyListPublisher
from worker.queue.local import LocalQueue
from worker.schedule import Schedule, schedule
from worker.side_tasks import SideTasks
from worker.telemetry.process_figures import SCHEDULER
from worker.telemetry.publishing import MetricsPublisher
from worker.tick_observer import TickObserver

_LOG = logging.getLogger(__name__)
#: No interval is shorter than a second.
_TICK_SECONDS: Final = 1.0

#: Where messages go: the queue, or this very process where REDIS_URL is not set.
Emitter = Client | LocalQueue


class Crons:
    """Emits each due message of the schedule once, however many schedulers run.

    A program without a queue, in which REDIS_URL is not set, performs what is due by itself.
    """

    def __init__(
        self,
        error: int = 84,
        success: int = 0,
        debug: bool = False,
        clock: Callable[[], datetime] = utc_now,
        tick_seconds: float = _TICK_SECONDS,
        *,
        publishes_metrics: bool = False,
    ) -> None:
        """`publishes_metrics` is for a process whose schedule is all that it does."""
        self.error = error
        self.success = success
        self.debug = debug
        self._clock = clock
        self._tick_seconds = tick_seconds
        self._publishes_metrics = publishes_metrics
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        if debug:
            _LOG.setLevel(logging.DEBUG)

    def inject_crons(self) -> int:
        """Start emitting in a thread; return `success`, or `error` where a setting is unusable.

        A repeated call restarts the thread with the current settings.
        """
        try:
            settings = current_settings()
            ensure_open()
            emitter = connect_queue(settings) if settings.redis_url else LocalQueue()
        except (OperatorError, QueueUnreachable) as error:
            _LOG.error("%s", error)  # The sentence says it all; no traceback.
            return self.error
        self.stop()
        self._stopping.clear()
        self._thread = threading.Thread(
            target=self._run, args=(emitter, schedule(settings.crons)), name="crons", daemon=True
        )
        self._thread.start()
        return self.success

    def stop(self) -> None:
        """Stop emitting, after the current tick."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, client: Emitter, lines: Schedule) -> None:
        """Tick until `stop`; the thread survives outages of the broker and of the database."""
        is_checked = False
        side_tasks = self._build_side_tasks(client)
        while not self._stopping.is_set():
            try:
                if not is_checked:
                    ensure_tables(self._clock())
                    _log_risks(client)
                    is_checked = True
                # One connection for all ticks: opening one costs five times as much as a tick.
                with hold_connection():
                    self._tick_repeatedly(client, lines, side_tasks)
            except (OperatorError, QueueUnreachable) as error:
                _LOG.warning("The schedule waits: %s", error)
            except Exception:  # noqa: BLE001
                # If the thread ended unnoticed, every token would expire.
                _LOG.exception("The schedule waits: this error is unexpected.")
            side_tasks.repeat()
            self._stopping.wait(self._tick_seconds)
        side_tasks.end()
        client.close()

    def _build_side_tasks(self, client: Emitter) -> SideTasks:
        # A program without a queue has no apps on it.
        if not isinstance(client, Client):
            return SideTasks()
        metrics = MetricsPublisher(client.redis, SCHEDULER) if self._publishes_metrics else None
        announcer = ProcessAnnouncer(client.redis, "schedule")
        return SideTasks(KeyListPublisher(client), announcer, metrics)

    def _tick_repeatedly(self, client: Emitter, lines: Schedule, side_tasks: SideTasks) -> None:
        observer = TickObserver()
        while not self._stopping.is_set():
            side_tasks.perform()
            tick(client, lines, self._clock(), observer)
            self._stopping.wait(self._tick_seconds)


def _log_risks(client: Emitter) -> None:
    """Log once a start: under any process manager, each service has a schedule."""
    if isinstance(client, LocalQueue):
        _LOG.info("REDIS_URL is not set: this process performs the schedule by itself.")
        return
    for risk in describe_risks(client.redis):
        _LOG.warning("%s", risk)


def tick(
    client: Emitter,
    lines: Schedule,
    now: datetime,
    observer: TickObserver | None = None,
) -> list[MessageType]:
    """Emit and return what is due at `now` and what no other scheduler has claimed.

    Without an `observer`, which remembers earlier calls, a tick that stands still stays so.

    Raises:
        QueueUnreachable: The broker is down; what was due is due again.
        DatabaseUnreachable: The database is down.
    """
    emitted = []
    for message, stalled_at in _list_due(lines, now, observer):
        with hold_connection():
            is_claimed = _claim(message, lines[message], now, stalled_at)
        if is_claimed:
            _emit(client, message, now)
            TICKS.inc(message.name)
            emitted.append(message)
    return emitted


def _list_due(
    lines: Schedule, now: datetime, observer: TickObserver | None
) -> list[tuple[MessageType, datetime | None]]:
    """Return the messages that are due, each with its tick if that stands still.

    Reads are cheap, while the claims that follow wait for other writers.
    """
    with hold_connection():
        known = list_next_ticks()
        stalled = observer.find_stalled(known, lines, now) if observer else {}
        due = [
            (message, stalled.get(message))
            for message in lines
            if known.get(message.name, now) <= now or message in stalled
        ]
        if POLL_DEVICES in (message for message, _ in due) and not has_due_polls(now):
            # Most services have no devices: nothing is emitted each second for none.
            due = [line for line in due if line[0] != POLL_DEVICES]
        # A service that stops finishes its jobs and enqueues no more.
        return [] if due and is_emission_over() else due


def _claim(
    message: MessageType, interval: timedelta, now: datetime, stalled_at: datetime | None
) -> bool:
    ensure_cron(message.name, now)
    if claim_tick(message.name, interval, now):
        return True
    return stalled_at is not None and claim_stalled_tick(message.name, interval, now, stalled_at)


def _emit(client: Emitter, message: MessageType, now: datetime) -> None:
    try:
        client.enqueue(message)
    except QueueUnreachable:
        with hold_connection():
            return_tick(message.name, now)
        raise
    _LOG.debug("Emitted %s.", message.name)
