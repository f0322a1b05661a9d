"""Performs each message in the name of whoever asked for it, so that the audit trail can tell."""

from __future__ import annotations

from typing import Any

from dramatiq import Broker, MessageProxy
from dramatiq.middleware import Middleware

from catfeeder.requester import REQUESTER_OPTION, requester


class Requesters(Middleware):
    """Sets who asked for the time that a thread performs a message; each thread has its own."""

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        """Take the name from the message."""
        requester.set(message.options.get(REQUESTER_OPTION))

    def after_process_message(
        self,
        broker: Broker,  # noqa: ARG002
        message: MessageProxy,  # noqa: ARG002
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,  # noqa: ARG002
    ) -> None:
        """Forget it."""
        requester.set(None)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        """Forget it too when nothing was performed."""
        requester.set(None)
