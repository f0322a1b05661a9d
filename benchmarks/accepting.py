"""How many requests a second are taken in with 202, beside three lines of FastAPI with Celery."""

from __future__ import annotations

import contextlib
import socket
import statistics
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import bcrypt

from benchmarks.figures import Figure, spread, table
from benchmarks.load import Request, answers_per_second
from benchmarks.sealed_send import lone_valkey
from benchmarks.stack import Stack, new_stack, running
from catfeeder.redis_connection import connect_redis
from config import ROOT
from tests.worker.service_directory import free_port

_REPEATS: Final = 7
_SECONDS: Final = 4.0
_CONNECTIONS: Final = 16
_PASSWORD: Final = "correct horse battery staple"
_PATH: Final = "/v1/passwords/check"


def measure(repeats: int = _REPEATS, seconds: float = _SECONDS) -> list[Figure]:
    """Let both take requests in turn, one process each, with nobody who works them off."""
    body = {
        "password": _PASSWORD,
        "password_hash": bcrypt.hashpw(_PASSWORD.encode(), bcrypt.gensalt(4)).decode(),
    }
    with contextlib.ExitStack() as parts:
        url = parts.enter_context(lone_valkey())
        valkey = parts.enter_context(contextlib.closing(connect_redis(url)))
        requests = {"ours": Request(_shim(parts, url), _PATH, body)}
        if find_spec("celery"):
            requests["FastAPI with Celery"] = Request(_peer(parts, url), _PATH, body)
        rates: dict[str, list[float]] = {name: [] for name in requests}
        for _ in range(repeats):
            for name, request in requests.items():
                rates[name].append(answers_per_second(request, 202, seconds, _CONNECTIONS))
                valkey.flushall()
    return [_figure(rates)]


def _shim(parts: contextlib.ExitStack, redis_url: str) -> int:
    """Start the shim alone, in front of as many hands as keep it from refusing anything."""
    stack: Stack = parts.enter_context(new_stack())
    conf = stack.directory.path / "config.toml"
    conf.write_text(conf.read_text().replace("passwords = 0", "passwords = 256"))
    stack.directory.worker("migrate", **stack.environment)
    variables = {**stack.environment, "REDIS_URL": redis_url}
    return _serve(parts, "worker.http.app:create_app --factory", stack.directory.path, variables)


def _peer(parts: contextlib.ExitStack, redis_url: str) -> int:
    variables = {"BENCHMARK_REDIS_URL": redis_url}
    return _serve(parts, "benchmarks.peers.fastapi_celery_app:app", ROOT, variables)


def _serve(
    parts: contextlib.ExitStack, application: str, directory: Path, variables: dict[str, str]
) -> int:
    port = free_port()
    options = f"--app-dir {directory} --host 127.0.0.1 --port {port} --no-access-log"
    program = str(Path(sys.executable).parent / "uvicorn")
    parts.enter_context(running([program, *application.split(), *options.split()], variables))
    _await_port(port)
    return port


def _await_port(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    raise TimeoutError("a server did not start in time")


def _figure(rates: dict[str, list[float]]) -> Figure:
    ours, *peer = rates.values()
    ratios = [one / its for one, its in zip(ours, peer[0], strict=True)] if peer else []
    return Figure(
        "requests accepted with 202",
        spread(ours, ".0f", "/s"),
        f"FastAPI with Celery: {spread(peer[0], '.0f', '/s')}" if peer else "",
        statistics.median(ratios) if ratios else None,
        "at least 2",
    )


if __name__ == "__main__":
    print(table(measure()))
