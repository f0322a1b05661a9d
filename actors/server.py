"""The service as a whole: whether it is to run, and how it is told to stop."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from catfeeder.errors import OperatorError
from models.db.database import ensure_open, hold_connection
from models.server import current_generation, is_stopping, request_stop

_LOG = logging.getLogger(__name__)
_ACCEPTED: Final = 202
_STOPPING: Final = {"status": "stopping"}


class BackgroundTasks(Protocol):
    """What FastAPI hands to a route for work after its answer; any object like it will do."""

    def add_task(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Run `func` once the answer has been sent."""


class Response(Protocol):
    """What `shutdown` answers, whoever sends it."""

    @property
    def status_code(self) -> int:
        """The HTTP status."""

    @property
    def body(self) -> bytes | memoryview:
        """The JSON text."""


@dataclass(frozen=True, slots=True)
class PlainResponse:
    """The answer for those who bring background tasks of their own."""

    status_code: int
    body: bytes


class ServerManagement:
    """Looks after the service that runs on this database, from whatever process."""

    def __init__(self, error: int = 84, success: int = 0, debug: bool = False) -> None:
        """Take the two statuses, and whether to log at level DEBUG."""
        self.error = error
        self.success = success
        self.debug = debug
        if debug:
            _LOG.setLevel(logging.DEBUG)

    def is_server_alive(self) -> bool:
        """Tell whether the service is to run: nobody has told it to stop, and it can be asked."""
        try:
            ensure_open()
            with hold_connection():
                return not is_stopping(current_generation())
        except OperatorError as error:
            _LOG.error("%s", error)  # The sentence says it all; no traceback.
            return False

    def is_server_running(self) -> bool:
        """Be another name of `is_server_alive`."""
        return self.is_server_alive()

    async def shutdown(self, background_tasks: BackgroundTasks) -> Response:
        """Answer 202, and stop the whole service once that has been sent.

        In FastAPI or Starlette the answer is their JSONResponse, so a route returns it as it is;
        with other background tasks it is a `PlainResponse`.
        """
        background_tasks.add_task(self._perform_shutdown)
        return _response_for(background_tasks)

    def _perform_shutdown(self) -> int:
        """Tell every process to drain and stop; return `success`, or `error` if none is told."""
        try:
            ensure_open()
            with hold_connection():
                generation = current_generation()
            is_told = shut_down(generation)["stopping"]
        except OperatorError as error:
            _LOG.error("The service runs on: %s", error)
            return self.error
        return self.success if is_told else self.error


def shut_down(generation: int) -> dict[str, bool]:
    """Perform the message of the same name: let every process of that boot drain and stop.

    A message that is delivered again after the next boot names an older generation and stops
    nobody.
    """
    with hold_connection():
        if request_stop(generation):
            _LOG.info("The service of boot %d is to stop.", generation)
        return {"stopping": is_stopping(generation)}


def _response_for(background_tasks: BackgroundTasks) -> Response:
    # Whoever answers by Starlette has loaded it; we do not, for the workers' sake.
    responses = sys.modules.get("starlette.responses")
    kinds = [kind.__module__ for kind in type(background_tasks).__mro__]
    if responses is not None and "starlette.background" in kinds:
        return cast("Response", responses.JSONResponse(_STOPPING, _ACCEPTED))
    return PlainResponse(_ACCEPTED, json.dumps(_STOPPING).encode())
