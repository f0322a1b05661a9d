"""Message context: which message a thread performs, its requester, and the app that it acts for."""

from __future__ import annotations

from typing import Any

from dramatiq import Broker, MessageProxy
from dramatiq.middleware import CurrentMessage

from catfeeder.messages import CATALOGUE
from catfeeder.queue.requester import (
    APP_OPTION,
    DEFAULT_APP,
    REQUESTER_OPTION,
    acting_app,
    requester,
    sees_all_apps,
)


class RequesterContext(CurrentMessage):
    """Sets the message (for log records), its requester and its app while a thread performs it."""

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Set all three; each thread has its own."""
        super().before_process_message(broker, message)  # type: ignore[no-untyped-call]
        requester.set(message.options.get(REQUESTER_OPTION))
        acting_app.set(message.options.get(APP_OPTION, DEFAULT_APP))
        # What the service asks of itself concerns the connections of every app.
        known = CATALOGUE.get(message.actor_name)
        sees_all_apps.set(known is not None and not known.is_job)

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,  # noqa: ARG002
    ) -> None:
        """Reset them."""
        super().after_process_message(broker, message)  # type: ignore[no-untyped-call]
        requester.set(None)
        acting_app.set(DEFAULT_APP)
        sees_all_apps.set(False)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        """Reset them after a skipped message, too."""
        self.after_process_message(broker, message)
