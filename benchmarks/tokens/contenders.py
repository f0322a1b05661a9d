"""Contenders of the token read: our web process, a bare endpoint of FastAPI, and better-auth."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil
import psycopg  # noqa: F401  Before our tables: Peewee would do without it, see models.db.drivers.

from actors.api_keys import make_api_key
from benchmarks.jobs.sealed_send import lone_valkey
from benchmarks.measuring.keep_alive import build_request
from benchmarks.measuring.stack import new_stack, running
from benchmarks.peers.packages import install_packages, running_script
from benchmarks.renewals.database import configure_provider, fill, id_of, open_here
from config import ROOT
from models.db.database import hold_connection
from tests.ports import free_port

OURS: Final = "ours"
BARE: Final = "bare FastAPI"
BLOCKING: Final = "bare FastAPI, in its event loop"
BETTER_AUTH: Final = "better-auth"
_CONNECTIONS: Final = 2_000
#: As long as those of `fill`.
_TOKEN: Final = f"access-{0:040}"
_SERVER_OPTIONS: Final = "--host 127.0.0.1 --http httptools --no-access-log --no-server-header"


@dataclass(frozen=True, slots=True)
class Contender:
    """A server of one process, and the requests that read tokens there."""

    port: int
    process: psutil.Process
    requests: list[bytes]


def start_ours(parts: contextlib.ExitStack, url: str) -> Contender:
    """Start `python -m worker web` as it comes, with a key of an app."""
    redis_url = parts.enter_context(lone_valkey())
    stack = parts.enter_context(new_stack())
    with open_here(url, stack.directory.path / "var"):
        configure_provider("https://provider.example/token")
        fill(0, _CONNECTIONS)
        with hold_connection():
            made = make_api_key(
                name="figures",
                scopes=["tokens:read"],
                requests_per_minute=1_000_000,
                expires_at=None,
                now=datetime.now(UTC),
            )
    port = free_port()
    variables = {**stack.environment, "REDIS_URL": redis_url, "DATABASE_URL": url}
    variables |= {"HOST": "127.0.0.1", "PORT": str(port)}
    command = [sys.executable, "-m", "worker", "web"]
    process = parts.enter_context(running(command, variables, stack.directory.path))
    _await_port(port)
    headers = {"Authorization": f"Bearer {made['key']}"}
    paths = [f"/v1/connections/{id_of(number)}/token" for number in range(_CONNECTIONS)]
    return Contender(port, process, [build_request("GET", path, headers, port) for path in paths])


def start_bare(parts: contextlib.ExitStack, url: str) -> dict[str, Contender]:
    """Start the bare endpoints, with the options of uvicorn that our web process has."""
    token_id = str(uuid.uuid4())
    variables = {
        "BENCHMARK_DATABASE_URL": url,
        "BENCHMARK_KEY": os.urandom(32).hex(),
        "BENCHMARK_TOKEN_ID": token_id,
    }
    port = free_port()
    program = str(Path(sys.executable).parent / "uvicorn")
    options = f"--app-dir {ROOT} --port {port} {_SERVER_OPTIONS}"
    command = [program, "benchmarks.peers.fastapi_tokens_app:app", *options.split()]
    process = parts.enter_context(running(command, variables))
    _await_port(port)
    return {
        name: Contender(port, process, [build_request("GET", f"/{path}/{token_id}", {}, port)])
        for name, path in ((BARE, "threaded"), (BLOCKING, "blocking"))
    }


def start_better_auth(
    parts: contextlib.ExitStack, provider: str = "http://127.0.0.1:1", expires_in: int = 86_400
) -> Contender:
    """Start better-auth with SQLite and encrypted tokens."""
    folder = parts.enter_context(tempfile.TemporaryDirectory())
    settings = {
        "file": f"{folder}/better-auth.sqlite3",
        "provider": provider,
        "access_token": _TOKEN,
        "refresh_token": f"refresh-{0:040}",
        "expires_in": expires_in,
    }
    pid, told = parts.enter_context(running_script("tokens.mjs", settings))
    headers = {
        "Content-Type": "application/json",
        "Cookie": told["cookie"],
        "Origin": told["origin"],
    }
    body = f'{{"accountId":"{told["account"]}"}}'.encode()
    request = build_request("POST", "/api/auth/get-access-token", headers, told["port"], body)
    return Contender(told["port"], psutil.Process(pid), [request])


def has_better_auth() -> bool:
    """Tell whether it can run here."""
    return install_packages() is not None


def _await_port(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    raise TimeoutError("a server did not start in time")
