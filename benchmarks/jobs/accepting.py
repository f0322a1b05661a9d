"""Accepting rate: requests a second that get 202, beside three lines of FastAPI with Celery."""

from __future__ import annotations

import contextlib
import socket
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

import bcrypt
import psutil

from benchmarks.jobs.sealed_send import lone_valkey
from benchmarks.measuring.figures import Figure, spread, table
from benchmarks.measuring.load import Request, answers_per_second
from benchmarks.measuring.stack import Stack, core_seconds, new_stack, running
from catfeeder.queue.redis.connection import connect_redis
from config import ROOT
from tests.ports import free_port

_REPEATS: Final = 7
_SECONDS: Final = 4.0
_CONNECTIONS: Final = 16
_PASSWORD: Final = "correct horse battery staple"
_PATH: Final = "/v1/passwords/check"

#: A server's port and its one process.
_Server = tuple[int, psutil.Process]


class _Sample(NamedTuple):
    """The measurement of some seconds of requests."""

    per_second: float
    core_milliseconds: float


def measure(repeats: int = _REPEATS, seconds: float = _SECONDS) -> list[Figure]:
    """Send requests to each in turn, to one process without workers behind it."""
    body = {
        "password": _PASSWORD,
        "password_hash": bcrypt.hashpw(_PASSWORD.encode(), bcrypt.gensalt(4)).decode(),
    }
    with contextlib.ExitStack() as parts:
        url = parts.enter_context(lone_valkey())
        valkey = parts.enter_context(contextlib.closing(connect_redis(url)))
        servers = {"ours": _shim(parts, url)}
        if find_spec("celery"):
            servers["FastAPI with Celery"] = _peer(parts, url)
        samples: dict[str, list[_Sample]] = {name: [] for name in servers}
        for _ in range(repeats):
            for name, (port, process) in servers.items():
                samples[name].append(_sample(Request(port, _PATH, body), process, seconds))
                valkey.flushall()
    return list(_figures(*samples.values()))


def _sample(request: Request, process: psutil.Process, seconds: float) -> _Sample:
    busy, began = core_seconds(process), time.perf_counter()
    rate = answers_per_second(request, 202, seconds, _CONNECTIONS)
    count = rate * (time.perf_counter() - began)
    return _Sample(rate, (core_seconds(process) - busy) / count * 1000)


def _shim(parts: contextlib.ExitStack, redis_url: str) -> _Server:
    """Start the shim alone, with so many registered workers that it refuses no request."""
    stack: Stack = parts.enter_context(new_stack())
    conf = stack.directory.path / "config.toml"
    conf.write_text(conf.read_text().replace("passwords = 0", "passwords = 256"))
    stack.directory.worker("migrate", **stack.environment)
    variables = {**stack.environment, "REDIS_URL": redis_url}
    return _serve(parts, "worker.http.app:create_app --factory", stack.directory.path, variables)


def _peer(parts: contextlib.ExitStack, redis_url: str) -> _Server:
    variables = {"BENCHMARK_REDIS_URL": redis_url}
    return _serve(parts, "benchmarks.peers.fastapi_celery_app:app", ROOT, variables)


def _serve(
    parts: contextlib.ExitStack, application: str, directory: Path, variables: dict[str, str]
) -> _Server:
    port = free_port()
    options = f"--app-dir {directory} --host 127.0.0.1 --port {port} --no-access-log"
    program = str(Path(sys.executable).parent / "uvicorn")
    command = [program, *application.split(), *options.split()]
    process = parts.enter_context(running(command, variables))
    _await_port(port)
    return port, process


def _await_port(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    raise TimeoutError("a server did not start in time")


def _figures(ours: Sequence[_Sample], peer: Sequence[_Sample] = ()) -> Iterator[Figure]:
    yield _figure("requests accepted with 202", ours, peer)
    # A rate depends on the load of the machine and on the client; this figure much less so.
    yield _figure("- core time of the web process for each", ours, peer, is_cost=True)


def _figure(
    what: str, ours: Sequence[_Sample], peer: Sequence[_Sample], *, is_cost: bool = False
) -> Figure:
    place, form, unit = (1, ".2f", "ms") if is_cost else (0, ".0f", "/s")
    own, its = [one[place] for one in ours], [one[place] for one in peer]
    if not its:
        return Figure(what, spread(own, form, unit), goal="at least 2")
    ratio = statistics.median(one / other for one, other in zip(own, its, strict=True))
    return Figure(
        what,
        spread(own, form, unit),
        f"FastAPI with Celery: {spread(its, form, unit)}",
        1 / ratio if is_cost else ratio,
        "at least 2",
    )


if __name__ == "__main__":
    print(table(measure()))
