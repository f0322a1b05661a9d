"""nginx and Caddy before a service that is away: they are well set up, and log no code."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.deploy.manifests import DEPLOY
from tests.ports import free_port
from tests.waiting import wait_until

_CODE: Final = "canary-code"
_HEADERS: Final = {"Referer": f"https://id.example/?code={_CODE}", "Authorization": _CODE}


@contextmanager
def running(command: list[str], folder: Path) -> Iterator[None]:
    """Run a proxy in a folder, whose output is one of its logs."""
    with (folder / "output.log").open("wb") as output:
        environment = {**os.environ, "HOME": str(folder)}
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def ask(url: str) -> int | None:
    """Come back from a provider; return the status, or None where nothing listens."""
    with contextlib.suppress(httpx.TransportError):
        query = {"code": _CODE, "state": _CODE}
        return httpx.get(
            f"{url}/v1/oauth/callback", params=query, headers=_HEADERS, timeout=30
        ).status_code
    return None


def assert_no_code(folder: Path) -> None:
    """Check that the callback stands in a log, and what it brought in none."""
    logs = "".join(path.read_text() for path in folder.rglob("*.log"))
    assert "/v1/oauth/callback" in logs
    assert _CODE not in logs


@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")
def test_nginx_logs_no_code(tmp_path: Path) -> None:
    # Given the snippet within a configuration, without its certificate
    port, away = free_port(), free_port()
    snippet = (DEPLOY / "proxy" / "nginx.conf").read_text()
    for written, here in {
        "443 ssl http2;": f"127.0.0.1:{port};",
        "listen 80;": f"listen 127.0.0.1:{free_port()};",
        "127.0.0.1:5000": f"127.0.0.1:{away}",
        "/var/log/nginx": str(tmp_path),
        "    ssl_certificate": "    #",
    }.items():
        assert written in snippet
        snippet = snippet.replace(written, here)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in kinds)
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/pid; events {{}} http {{ {paths} {snippet} }}"
    )
    command = ["nginx", "-e", "stderr", "-c", str(tmp_path / "nginx.conf")]
    subprocess.run([*command, "-t"], check=True, timeout=30)

    # When a browser comes back while the service is away
    with running(command, tmp_path):
        wait_until(lambda: ask(f"http://127.0.0.1:{port}") == 502)
        assert httpx.get(f"http://127.0.0.1:{port}/metrics").status_code == 404

    assert_no_code(tmp_path)


@pytest.mark.skipif(not shutil.which("caddy"), reason="Caddy is not installed")
def test_caddy_logs_no_code(tmp_path: Path) -> None:
    # Given the file, without its certificate and its administration
    port = free_port()
    text = (DEPLOY / "proxy" / "Caddyfile").read_text()
    for written, here in {
        "auth.example.com {": f"http://127.0.0.1:{port} {{",
        "127.0.0.1:5000": f"127.0.0.1:{free_port()}",
        "/var/log/caddy": str(tmp_path),
        "{\n\tlog {\n\t\timport": "{\n\tadmin off\n\tlog {\n\t\timport",
        # So that a request finds out that the service is away.
        "health_interval 5s": "health_interval 1h",
    }.items():
        assert written in text
        text = text.replace(written, here)
    (tmp_path / "Caddyfile").write_text(text)

    with running(["caddy", "run", "--config", "Caddyfile"], tmp_path):
        wait_until(lambda: ask(f"http://127.0.0.1:{port}") in (502, 503))
        assert httpx.get(f"http://127.0.0.1:{port}/metrics").status_code == 404

    assert_no_code(tmp_path)
