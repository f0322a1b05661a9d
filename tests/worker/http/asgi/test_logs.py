"""uvicorn's access log, in a process of its own: it never holds a query string."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from config import ROOT
from tests.ports import free_port
from tests.waiting import wait_until

_COMMAND = (sys.executable, "-m", "uvicorn", "worker.http.app:create_app", "--factory")
_CODE = "a-code-that-nobody-may-read"
_STATE = "a-state-that-nobody-may-read:house"


@contextmanager
def _uvicorn(environment: dict[str, str]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start the Procfile's command, but with its access log on."""
    port = str(free_port())
    process = subprocess.Popen(
        [*_COMMAND, "--port", port],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.terminate()
        process.wait()


def test_the_callbacks_query_is_not_logged(environment: dict[str, str], generation: int) -> None:
    # Given the service as uvicorn starts it
    assert generation
    with _uvicorn(environment) as (url, process):
        wait_until(lambda: _is_healthy(url))
        # When a browser comes back from a provider
        query = {"code": _CODE, "state": _STATE}
        assert httpx.get(f"{url}/v1/oauth/callback", params=query).status_code == 400
        process.terminate()
        log, _ = process.communicate(timeout=60)
    # Then its visit is in the log, and what it brought is not
    assert '"GET /v1/oauth/callback HTTP/1.1" 400' in log
    assert "nobody-may-read" not in log


def _is_healthy(url: str) -> bool:
    with contextlib.suppress(httpx.ConnectError):
        return httpx.get(f"{url}/health").status_code == 200
    return False
