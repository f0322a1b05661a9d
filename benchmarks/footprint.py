"""Footprint: memory and core time of the idle stack, and the seconds of a second start."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import psutil

from benchmarks.measuring.figures import Figure, table
from benchmarks.measuring.stack import Stack, core_seconds, new_stack

#: Imports after a start are not idling.
_SETTLING_SECONDS: Final = 10
_IDLE_SECONDS: Final = 40
_MEGABYTE: Final = 1_000_000


def measure(idle_seconds: float = _IDLE_SECONDS) -> list[Figure]:
    """Start the stack twice and leave it alone the second time."""
    with new_stack() as stack:
        stack.start().stop()
        healthy_after = _seconds_to_health(stack)
        time.sleep(_SETTLING_SECONDS)
        before = _cpu_seconds(stack)
        time.sleep(idle_seconds)
        after = _cpu_seconds(stack)
        memory = _megabytes(stack)
    busy = {name: (after[name] - before.get(name, 0)) / idle_seconds for name in after}
    return list(_figures(healthy_after, busy, memory))


def _seconds_to_health(stack: Stack) -> float:
    began = time.monotonic()
    stack.directory.run(**stack.environment)
    while not _is_healthy(stack.port):
        time.sleep(0.01)
    return time.monotonic() - began


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
    kinds = ("worker web", "passwords", "oauth", "schedule", "worker run", "valkey")
    return next((kind for kind in kinds if kind in command), command.partition(" ")[0])


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
    healthy_after: float, busy: dict[str, float], memory: dict[str, tuple[float, float]]
) -> Iterator[Figure]:
    rss, pss = (sum(one[at] for one in memory.values()) for at in (0, 1))
    yield Figure(
        "idle stack: memory", f"{rss:.0f} MB RSS", f"{pss:.0f} MB, shared pages once", goal="< 350"
    )
    yield Figure("idle stack: CPU", f"{sum(busy.values()) * 100:.2f} % of a core", goal="< 2 %")
    yield Figure("second start: first healthy answer", f"{healthy_after:.2f} s", goal="< 2 s")
    for name, (own_rss, own_pss) in sorted(memory.items()):
        share = f"{busy.get(name, 0) * 100:.2f} % of a core"
        yield Figure(f"- {name.rpartition(' ')[0]}", f"{own_rss:.0f} MB, {share}", f"{own_pss:.0f}")


if __name__ == "__main__":
    print(table(measure()))
