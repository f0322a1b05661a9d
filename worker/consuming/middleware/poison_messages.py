"""Poison message isolation: keeps the promise that no other message is blamed for a death."""

from __future__ import annotations

import logging
import threading
from typing import Any, cast

from dramatiq import Broker, MessageProxy
from dramatiq.middleware import Middleware

from worker.consuming.broker import ConsumingBroker
from worker.consuming.middleware.broker_retries import retry_until_broker_returns

_LOG = logging.getLogger(__name__)


class PoisonMessageIsolation(Middleware):
    """Performs a message that two workers died of alone in the process, and all others in parallel.

    Before the work Redis counts the attempt as the third death, whatever then ends the process.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        #: How many threads perform, and whether one of them does so alone.
        self._performing = 0
        self._is_isolated = False
        self._thread = threading.local()

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Wait until the message may be performed."""
        candidates = cast("ConsumingBroker", broker).poison_candidates
        redis_message_id = message.options["redis_message_id"]
        is_candidate = redis_message_id in candidates
        with self._changed:
            self._changed.wait_for(lambda: not self._is_isolated)
            if is_candidate:
                self._is_isolated = True
                self._changed.wait_for(lambda: self._performing == 0)
            self._performing += 1
        self._thread.is_isolated = is_candidate
        if is_candidate:
            candidates.discard(redis_message_id)
            _LOG.warning("Two workers died while they performed %s; it runs alone.", message)
            in_flight = cast("ConsumingBroker", broker).in_flight
            retry_until_broker_returns(lambda: in_flight.record_isolated_attempt(redis_message_id))

    def after_process_message(
        self,
        broker: Broker,  # noqa: ARG002
        message: MessageProxy,  # noqa: ARG002
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,  # noqa: ARG002
    ) -> None:
        """Let the waiting threads continue."""
        with self._changed:
            self._performing -= 1
            if self._thread.is_isolated:
                self._is_isolated = False
            self._changed.notify_all()

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        """Let them continue after a skipped message, too."""
        self.after_process_message(broker, message)
