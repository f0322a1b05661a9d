"""Poison message isolation: keeps the promise that no other message is blamed for a death."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Final, cast

from dramatiq import Broker, MessageProxy
from dramatiq.middleware import Middleware

from worker.consuming.broker import ConsumingBroker
from worker.consuming.middleware.broker_retries import retry_until_broker_returns

_LOG = logging.getLogger(__name__)


#: How long all else waits for the messages in hand to end, before it goes on for a while. Doubled
#: each time, so that a candidate has its turn at last.
_FIRST_WAIT_SECONDS: Final = 0.5
#: For how many times the length of an isolation all else goes on before the next one.
_PAUSE_FACTOR: Final = 9
_LONGEST_PAUSE_SECONDS: Final = 60.0


class PoisonMessageIsolation(Middleware):
    """Performs a message that two workers died of alone in the process, and all others in parallel.

    Before the work Redis counts the attempt as the third death, whatever then ends the process. A
    busy process spends at most a tenth of its time on that: other messages wait for one isolation,
    and not for as many as there are candidates.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        #: How many threads perform, and how many wait for the end of an isolation.
        self._performing = 0
        self._waiting = 0
        self._closed_at: float | None = None
        self._open_until = 0.0
        self._thread = threading.local()

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Wait until the message may be performed."""
        broker = cast("ConsumingBroker", broker)
        redis_message_id = message.options["redis_message_id"]
        is_candidate = broker.poison_candidates.is_at_work(redis_message_id)
        with self._changed:
            if is_candidate:
                self._isolate()
            else:
                self._await_opening()
            self._performing += 1
        self._thread.is_isolated = is_candidate
        if is_candidate:
            _LOG.warning("Two workers died while they performed %s; it runs alone.", message)
            in_flight = broker.in_flight
            retry_until_broker_returns(lambda: in_flight.record_isolated_attempt(redis_message_id))

    def _await_opening(self) -> None:
        self._waiting += 1
        self._changed.wait_for(lambda: self._closed_at is None)
        self._waiting -= 1

    def _isolate(self) -> None:
        """Keep other messages waiting, and return once none is performed."""
        wait_seconds = _FIRST_WAIT_SECONDS
        while True:
            pause = max(0.0, self._open_until - time.monotonic())
            # An idle process keeps nothing waiting, so there is no need for a pause.
            self._changed.wait_for(lambda: self._performing + self._waiting == 0, pause)
            self._closed_at = time.monotonic()
            if self._changed.wait_for(lambda: self._performing == 0, wait_seconds):
                return
            self._reopen()
            wait_seconds *= 2

    def _reopen(self) -> None:
        now = time.monotonic()
        pause = _PAUSE_FACTOR * (now - (self._closed_at or now))
        self._open_until = now + min(pause, _LONGEST_PAUSE_SECONDS)
        self._closed_at = None
        self._changed.notify_all()

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,  # noqa: ARG002
    ) -> None:
        """Let the waiting threads continue."""
        with self._changed:
            self._performing -= 1
            if self._thread.is_isolated:
                self._reopen()
            self._changed.notify_all()
        if self._thread.is_isolated:
            broker = cast("ConsumingBroker", broker)
            broker.poison_candidates.finish([message.options["redis_message_id"]])
            broker.wake_consumers()

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        """Let them continue after a skipped message, too."""
        self.after_process_message(broker, message)
