"""Spans of messages: each is performed within one, under that of the request which sent it."""

from __future__ import annotations

import threading
from typing import Any

from dramatiq import Broker, MessageProxy, Middleware

from actors.telemetry.tracing import CONSUMER, NO_SPAN, begin_span, is_tracing
from catfeeder.queue.trace_context import TRACEPARENT_OPTION, read_trace_options


class TraceMessages(Middleware):
    """Begins a span for each message, where this process is traced."""

    def __init__(self) -> None:
        self._thread = threading.local()

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        """Begin the span."""
        if is_tracing():
            attributes = {
                "messaging.destination.name": message.queue_name,
                "messaging.message.id": message.message_id,
            }
            parent = read_trace_options(message.options).get(TRACEPARENT_OPTION)
            name = f"process {message.actor_name}"
            self._thread.span = begin_span(name, CONSUMER, attributes, parent)

    def after_process_message(
        self,
        broker: Broker,  # noqa: ARG002
        message: MessageProxy,  # noqa: ARG002
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,
    ) -> None:
        """End the span."""
        span = getattr(self._thread, "span", NO_SPAN)
        self._thread.span = NO_SPAN
        span.end(exception)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        """End the span of a message that was not performed."""
        self.after_process_message(broker, message)
