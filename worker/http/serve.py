"""HTTP server process, `python -m worker web`: serves the shim at the address of the settings."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING, Final

import uvicorn

from config import current_settings
from worker.process.loading import exempt_from_collection
from worker.process.signals import list_stop_signals
from worker.telemetry.process_figures import WEB
from worker.telemetry.switch import keep_out_unwanted

if TYPE_CHECKING:
    from fastapi import FastAPI

#: How long requests in progress may go on after a signal to stop.
_GRACE_SECONDS: Final = 5


def serve_http() -> int:
    """Serve until a signal to stop, and return the exit status.

    No access log is written: the callback's query string carries codes and states.

    Raises:
        ConfigurationError: A setting cannot be used.
    """
    settings = current_settings()
    # uvicorn passes a signal on once it has stopped for it, and that is no failure.
    for number in list_stop_signals():
        signal.signal(number, _end_well)
    uvicorn.run(
        "worker.http.serve:load_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        http="worker.http.asgi.connections:GuardedProtocol",
        ws="none",
        # Else WEB_CONCURRENCY would start as many on one port.
        workers=1,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return 0


def load_shim() -> None:
    """Load all code of the shim, and build its routes; this reads no setting."""
    keep_out_unwanted(WEB)
    from worker.http.lean_fastapi import load_fastapi

    load_fastapi()
    import worker.http.app
    import worker.http.asgi.connections  # noqa: F401


def load_app() -> FastAPI:
    """Return the application; a start is a quarter sooner without garbage collections."""
    with exempt_from_collection():
        load_shim()
        from worker.http.app import create_app

        return create_app()


def _end_well(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)
