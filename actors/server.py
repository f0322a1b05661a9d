"""Shutdown of the whole service, by boot generation, and whether it is to run."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from catfeeder.clock import utc_now
from catfeeder.errors import OperatorError
from catfeeder.results import Shutdown
from models.db.database import hold_connection
from models.migrate import ensure_tables
from models.server import current_generation, is_boot_stopping, is_stopping, request_stop

_LOG = logging.getLogger(__name__)
_ACCEPTED: Final = 202
_STOPPING: Final = {"status": "stopping"}


class BackgroundTasks(Protocol):
    """FastAPI's background tasks, or any object like them: work to be done after an answer."""

    def add_task(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Run `func` once the answer has been sent."""


class Response(Protocol):
    """The answer of `shutdown`, of whatever framework."""

    @property
    def status_code(self) -> int:
        """The HTTP status."""

    @property
    def body(self) -> bytes | memoryview:
        """The JSON text."""


@dataclass(frozen=True, slots=True)
class PlainResponse:
    """The answer to background tasks that are not Starlette's."""

    status_code: int
    body: bytes


class ServerManagement:
    """Asks after, and stops, the service on this database, from any process.

    `debug` sets this module's log level to DEBUG.
    """

    def __init__(self, error: int = 84, success: int = 0, debug: bool = False) -> None:
        self.error = error
        self.success = success
        self.debug = debug
        if debug:
            _LOG.setLevel(logging.DEBUG)

    def is_server_alive(self) -> bool:
        """Return whether the service is to run: it was booted since its last shutdown.

        A database that cannot be used is logged, and the answer is false.
        """
        try:
            ensure_tables(utc_now())
            with hold_connection():
                return not is_boot_stopping(current_generation())
        except OperatorError as error:
            _LOG.error("%s", error)  # The sentence says it all; no traceback.
            return False

    def is_server_running(self) -> bool:
        """Return what `is_server_alive` does; the seed has both names."""
        return self.is_server_alive()

    async def shutdown(self, background_tasks: BackgroundTasks) -> Response:
        """Return an answer of status 202, and stop the whole service once that has been sent.

        To FastAPI's or Starlette's tasks the answer is a JSONResponse, which a route can return;
        to others it is a `PlainResponse`.
        """
        background_tasks.add_task(self._perform_shutdown)
        return _build_response(background_tasks)

    def _perform_shutdown(self) -> int:
        """Let every process drain and stop; return `success`, or `error` where none will."""
        try:
            ensure_tables(utc_now())
            with hold_connection():
                generation = current_generation()
            is_stopped = shut_down(generation)["stopping"]
        except OperatorError as error:
            _LOG.error("The service runs on: %s", error)
            return self.error
        if is_stopped:
            return self.success
        _LOG.error("Nothing is stopped: no service was started on the database of DATABASE_URL.")
        return self.error


def shut_down(generation: int) -> Shutdown:
    """Perform `shut_down`: let every process of the boot `generation` drain and stop.

    A message that is delivered after the next boot names an older generation, and stops nothing.
    """
    with hold_connection():
        if request_stop(generation):
            _LOG.info("The service of boot %d is to stop.", generation)
        return {"stopping": is_stopping(generation)}


def _build_response(background_tasks: BackgroundTasks) -> Response:
    # A process that answers by Starlette has loaded it; workers do without.
    responses = sys.modules.get("starlette.responses")
    kinds = [kind.__module__ for kind in type(background_tasks).__mro__]
    if responses is not None and "starlette.background" in kinds:
        return cast("Response", responses.JSONResponse(_STOPPING, _ACCEPTED))
    return PlainResponse(_ACCEPTED, json.dumps(_STOPPING).encode())
