"""The Procfile's web line under another process manager, such as honcho, which sets PORT alone."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from pathlib import Path

import httpx

from config import ROOT, Settings
from tests.ports import free_port
from tests.stack.processes import ProcfileProcess
from tests.waiting import wait_until
from worker.supervisor.procfile import read_procfile


def test_the_line_serves_where_the_settings_say_and_ends_well(
    tables: Settings, environment: dict[str, str], tmp_path: Path
) -> None:
    assert tables.redis_url
    # Given the line as it stands, started without HOST
    line = read_procfile(ROOT / "Procfile")["web"]
    command = line.replace("python", shlex.quote(sys.executable), 1)
    port = str(free_port())
    inherited = {name: value for name, value in os.environ.items() if name != "HOST"}
    given = {**inherited, **environment, "PORT": port, "PYTHONPATH": str(ROOT)}
    web = ProcfileProcess("web", command, given, tmp_path)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _is_answering(url))
        # When it has answered a browser that came back from a provider
        answer = httpx.get(f"{url}/v1/oauth/callback", params={"code": "c", "state": "s:house"})
        assert answer.status_code == 400
        # Then a stop is no failure, for systemd and its like, and no log has the code
        assert web.stop() == 0
        assert "Traceback" not in web.output
        assert "oauth/callback" not in web.output
    finally:
        web.end()


def _is_answering(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{url}/health").status_code in (200, 503)
    return False
