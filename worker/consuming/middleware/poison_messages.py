"""Performs a message that has ended two workers alone, so that no other is blamed for the third."""

from __future__ import annotations

import logging
import threading
from typing import Any, cast

from dramatiq import Broker, MessageProxy
from dramatiq.middleware import Middleware

from worker.consuming.broker import ConsumingBroker
from worker.consuming.middleware.broker_retries import with_patience

_LOG = logging.getLogger(__name__)


class LastTrials(Middleware):
    """Lets the threads of a process perform side by side, but one on its last trial by itself.

    What it may come to is in Redis before the work, so whatever ends the process leaves it there.
    """

    def __init__(self) -> None:
        """Begin with nothing in hand."""
        self._changed = threading.Condition()
        #: How many threads perform, and whether one of them does so alone.
        self._performing = 0
        self._is_tried = False
        self._own = threading.local()

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Wait until the message may be performed."""
        suspects = cast("ConsumingBroker", broker).suspects
        redis_message_id = message.options["redis_message_id"]
        is_suspect = redis_message_id in suspects
        with self._changed:
            self._changed.wait_for(lambda: not self._is_tried)
            if is_suspect:
                self._is_tried = True
                self._changed.wait_for(lambda: self._performing == 0)
            self._performing += 1
        self._own.is_suspect = is_suspect
        if is_suspect:
            suspects.discard(redis_message_id)
            _LOG.warning("Two workers ended with %s in hand; it is performed alone.", message)
            holdings = cast("ConsumingBroker", broker).holdings
            with_patience(lambda: holdings.note_last_trial(redis_message_id))

    def after_process_message(
        self,
        broker: Broker,  # noqa: ARG002
        message: MessageProxy,  # noqa: ARG002
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,  # noqa: ARG002
    ) -> None:
        """Let the others go on."""
        with self._changed:
            self._performing -= 1
            if self._own.is_suspect:
                self._is_tried = False
            self._changed.notify_all()

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        """Let them go on too when nothing was performed."""
        self.after_process_message(broker, message)
