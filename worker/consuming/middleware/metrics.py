"""Counts of messages: how each ended, how long it took, and how long it had waited in its queue."""

from __future__ import annotations

import threading
import time
from typing import Any

from dramatiq import Broker, MessageProxy, Middleware

from actors.telemetry.metrics import (
    FAILED,
    JOB_SECONDS,
    JOBS,
    QUEUE_WAIT,
    REFUSED,
    SKIPPED,
    SUCCEEDED,
)
from actors.telemetry.series import OTHER
from catfeeder.messages import CATALOGUE, QUEUES
from worker.consuming.middleware.jobs import is_refusal


class CountMessages(Middleware):
    """Counts each message that a thread of this process performs, in memory."""

    def __init__(self) -> None:
        self._thread = threading.local()

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        """Begin to measure, and count the wait since the message was sent."""
        self._thread.started_at = time.perf_counter()
        # The clocks of two machines may differ.
        waited = max(0.0, time.time() - message.message_timestamp / 1000)
        QUEUE_WAIT.observe(waited, message.queue_name if message.queue_name in QUEUES else OTHER)

    def after_process_message(
        self,
        broker: Broker,  # noqa: ARG002
        message: MessageProxy,
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,
    ) -> None:
        """Count how the message ended, and how long it took."""
        seconds = time.perf_counter() - self._thread.started_at
        labels = _name_actor(message), _name_outcome(message, exception)
        JOBS.inc(*labels)
        JOB_SECONDS.observe(seconds, *labels)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        """Count a message that was not performed."""
        JOBS.inc(_name_actor(message), SKIPPED)


def _name_actor(message: MessageProxy) -> str:
    return message.actor_name if message.actor_name in CATALOGUE else OTHER


def _name_outcome(message: MessageProxy, exception: BaseException | None) -> str:
    if exception is None:
        return SUCCEEDED
    return REFUSED if is_refusal(message, exception) else FAILED
