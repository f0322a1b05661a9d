"""Serves an application on a free port, by the server that the Procfile names, and calls it."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx
import uvicorn
from fastapi import FastAPI

_START_SECONDS: Final = 10
#: Reading all certificate authorities for each caller would take longer than most tests.
_NO_AUTHORITIES: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Serve for the block and yield the URL."""
    config = uvicorn.Config(app, port=0, log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        _await_start(server, thread)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def _await_start(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        assert thread.is_alive(), "the server ended at once"
        assert time.monotonic() < deadline, "the server did not start in time"
        time.sleep(0.01)


def calling(url: str, **more: Any) -> httpx.Client:
    """Return somebody with a connection to the application, and with cookies of their own."""
    return httpx.Client(base_url=url, timeout=60, verify=_NO_AUTHORITIES, **more)
