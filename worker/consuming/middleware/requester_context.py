"""Message context: which message a thread performs, and its requester for the audit trail."""

from __future__ import annotations

from typing import Any

from dramatiq import Broker, MessageProxy
from dramatiq.middleware import CurrentMessage

from catfeeder.queue.requester import REQUESTER_OPTION, requester


class RequesterContext(CurrentMessage):
    """Sets the message (for log records) and its requester while a thread performs it."""

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Set both; each thread has its own."""
        super().before_process_message(broker, message)  # type: ignore[no-untyped-call]
        requester.set(message.options.get(REQUESTER_OPTION))

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,  # noqa: ARG002
    ) -> None:
        """Reset both."""
        super().after_process_message(broker, message)  # type: ignore[no-untyped-call]
        requester.set(None)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        """Reset both after a skipped message, too."""
        self.after_process_message(broker, message)
