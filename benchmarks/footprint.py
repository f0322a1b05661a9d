"""Footprint: memory and core time of the idle stack, and the seconds of a second start."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, NamedTuple

import psutil

from benchmarks.measuring.figures import Figure, table
from benchmarks.measuring.stack import Stack, core_seconds, new_stack

#: Imports after a start are not idling.
_SETTLING_SECONDS: Final = 10
_IDLE_SECONDS: Final = 40
_MEGABYTE: Final = 1_000_000
#: What each process does, by a part of its command.
_ROLES: Final = {
    "worker web": "web",
    "--queues passwords": "passwords",
    "--queues oauth": "oauth",
    "--schedule": "scheduler",
    "worker run": "supervisor",
    "/bin/sh": "guardian",
    "valkey": "valkey",
}


def measure(idle_seconds: float = _IDLE_SECONDS) -> list[Figure]:
    """Start the stack twice and leave it alone the second time."""
    with new_stack() as stack:
        stack.start().stop()
        started = _start_again(stack)
        time.sleep(_SETTLING_SECONDS)
        before = _cpu_seconds(stack)
        time.sleep(idle_seconds)
        after = _cpu_seconds(stack)
        memory = _megabytes(stack)
    busy = {name: (after[name] - before.get(name, 0)) / idle_seconds for name in after}
    return list(_figures(started, busy, memory))


class _Start(NamedTuple):
    """How long a start took, and for how long it kept a core busy."""

    seconds: float
    core_seconds: float


def _start_again(stack: Stack) -> _Start:
    began = time.monotonic()
    service = stack.directory.run(**stack.environment)
    while not _is_healthy(stack.port):
        time.sleep(0.01)
    seconds = time.monotonic() - began
    # What the start needed no more, such as the fork server, has ended by then.
    service.await_line("curl -s")
    # Of processes that have ended, such as the fork server, their parent has the time.
    ended = sum(sum(one.cpu_times()[2:4]) for one in stack.directory.processes("worker run"))
    return _Start(seconds, stack.core_seconds() + ended)


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    with suppress(OSError):
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    return False


def _processes(stack: Stack) -> dict[str, psutil.Process]:
    """Return the processes in the stack's directory, each by its kind and number."""
    return {
        f"{_kind(' '.join(process.cmdline()))} {process.pid}": process
        for process in stack.directory.processes()
    }


def _kind(command: str) -> str:
    return next((role for part, role in _ROLES.items() if part in command), command)


def _cpu_seconds(stack: Stack) -> dict[str, float]:
    return {name: core_seconds(one) for name, one in _processes(stack).items()}


def _megabytes(stack: Stack) -> dict[str, tuple[float, float]]:
    """Return each process's RSS and its proportional share (PSS)."""
    found = {name: one.memory_full_info() for name, one in _processes(stack).items()}
    return {
        name: (info.rss / _MEGABYTE, getattr(info, "pss", info.uss) / _MEGABYTE)
        for name, info in found.items()
    }


def _figures(
    started: _Start, busy: dict[str, float], memory: dict[str, tuple[float, float]]
) -> Iterator[Figure]:
    rss, pss = (sum(one[at] for one in memory.values()) for at in (0, 1))
    yield Figure(
        "idle stack: memory, each shared page once (PSS)",
        f"{pss:.0f} MB",
        f"{rss:.0f} MB RSS, shared pages as often as they are shared",
        goal="< 160 MB",
    )
    yield Figure("idle stack: CPU", f"{sum(busy.values()) * 100:.2f} % of a core", goal="< 2 %")
    yield Figure(
        "second start: first healthy answer",
        f"{started.seconds:.2f} s",
        f"{started.core_seconds:.2f} s of a core until then",
        goal="< 0.7 s",
    )
    for name, (own_rss, own_pss) in sorted(memory.items()):
        share = f"{busy.get(name, 0) * 100:.2f} % of a core"
        role = name.rpartition(" ")[0]
        yield Figure(f"- {role}", f"{own_pss:.0f} MB, {share}", f"{own_rss:.0f} MB RSS")


if __name__ == "__main__":
    print(table(measure()))
