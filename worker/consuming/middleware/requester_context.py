"""Message context: which message a thread performs, its requester, and the app that it acts for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dramatiq import Broker, MessageProxy
from dramatiq.middleware import CurrentMessage

from catfeeder.messages import CATALOGUE, CHECK_POLICY, HASH_PASSWORD
from catfeeder.queue.requester import (
    APP_OPTION,
    DEFAULT_APP,
    REQUESTER_OPTION,
    SEALED_BY_OPTION,
    acting_app,
    app_name,
    maximum_rounds,
    requester,
    sees_all_apps,
)
from catfeeder.queue.trace_context import REQUEST_ID_OPTION, read_trace_options, request_id

#: Those that judge a new password, in which the app's name counts.
_JUDGING: Final = frozenset({HASH_PASSWORD.name, CHECK_POLICY.name})


class RequesterContext(CurrentMessage):
    """Sets the message (for log records), its requester and its app while a thread performs it."""

    def __init__(
        self,
        find_maximum_rounds: Callable[[str], int | None],
        find_app_name: Callable[[str], str | None],
    ) -> None:
        """They return the bound of an app, if it has one, and what people call it."""
        super().__init__()
        self._find_maximum_rounds = find_maximum_rounds
        self._find_app_name = find_app_name

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Set all of them; each thread has its own."""
        super().before_process_message(broker, message)  # type: ignore[no-untyped-call]
        requester.set(message.options.get(REQUESTER_OPTION))
        request_id.set(read_trace_options(message.options).get(REQUEST_ID_OPTION))
        acting_app.set(message.options.get(APP_OPTION, DEFAULT_APP))
        if SEALED_BY_OPTION in message.options:
            maximum_rounds.set(self._find_maximum_rounds(acting_app.get()))
        if message.actor_name in _JUDGING:
            app_name.set(self._find_app_name(acting_app.get()))
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
        request_id.set(None)
        maximum_rounds.set(None)
        app_name.set(None)
        acting_app.set(DEFAULT_APP)
        sees_all_apps.set(False)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        """Reset them after a skipped message, too."""
        self.after_process_message(broker, message)
