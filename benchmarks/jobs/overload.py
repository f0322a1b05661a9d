"""Overload: five times what the cores can hash; the age of jobs, and the latency of others."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import httpx

from benchmarks.measuring.figures import Figure, percentile, table
from benchmarks.measuring.load import Request, answers_per_second
from benchmarks.measuring.stack import ADMIN_API_KEY, new_stack

_SECONDS: Final = 30.0
_FACTOR: Final = 5
_ROUNDS: Final = 10
_PASSWORD: Final = "correct horse battery staple"
_MAX_AGE_SECONDS: Final = 60.0
_PATH: Final = "/v1/passwords/hash"
_GLANCE_SECONDS: Final = 0.25
#: So many connections ask, in turn.
_USERS: Final = 32


@dataclass
class _Answers:
    """The answers to a crowd of clients, and how long each took."""

    accepted: list[str] = field(default_factory=list)
    refused_seconds: list[float] = field(default_factory=list)
    glance_seconds: list[float] = field(default_factory=list)

    def add(self, head: str, seconds: float) -> None:
        """Count the answer to a request for a hash; 202 and 429 are the only right ones."""
        status = _status(head)
        if status == 202:
            self.accepted.append(_header(head, "location").rpartition("/")[2])
        elif status == 429 and int(_header(head, "retry-after")) > 0:
            self.refused_seconds.append(seconds)
        else:
            raise RuntimeError(f"a request was answered with {status}")

    def add_glance(self, head: str, seconds: float) -> None:
        """Count the answer to another request."""
        if _status(head) != 200:
            raise RuntimeError(f"a glance was answered with {_status(head)}")
        self.glance_seconds.append(seconds)


def measure(seconds: float = _SECONDS) -> list[Figure]:
    """Find the capacity, ask for five times as much, and wait for the accepted jobs."""
    with new_stack() as stack:
        service = stack.start()
        body = {"password": _PASSWORD, "rounds": _ROUNDS}
        capacity = answers_per_second(Request(stack.port, _PATH, body, "wait=30"), 200, 5.0, 6)
        idle = asyncio.run(_flood(stack.port, 0, 3.0))
        answers = asyncio.run(_flood(stack.port, _FACTOR * capacity, seconds))
        ages = _ages(stack.port, answers.accepted)
        service.stop()
    return [_age_figure(ages, answers), _glance_figure(idle.glance_seconds, answers)]


async def _flood(port: int, per_second: float, seconds: float) -> _Answers:
    """Ask at a steady rate, whatever the answers, and send other requests meanwhile."""
    answers = _Answers()
    ends = time.perf_counter() + seconds
    body = {"password": _PASSWORD, "rounds": _ROUNDS}
    ask = Request(port, _PATH, body).encoded()
    # It needs the database and no core, as reading a token does.
    glance = Request(port, "/v1/connections", {}).encoded().replace(b"POST ", b"GET ", 1)
    count = _USERS if per_second else 0
    users = [_user(port, ask, _USERS / per_second, ends, answers.add) for _ in range(count)]
    others = _user(port, glance, _GLANCE_SECONDS, ends, answers.add_glance)
    await asyncio.gather(others, *users)
    return answers


async def _user(
    port: int, encoded: bytes, pause: float, ends: float, note: Callable[[str, float], None]
) -> None:
    """Send a request again and again, on one connection, `pause` seconds from one to the next."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.sleep(random.uniform(0, pause))  # noqa: S311
    while (began := time.perf_counter()) < ends:
        writer.write(encoded)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.readexactly(int(_header(head, "content-length")))
        took = time.perf_counter() - began
        note(head, took)
        await asyncio.sleep(max(0.0, pause - took))
    writer.close()


def _status(head: str) -> int:
    return int(head.split(" ", 2)[1])


def _header(head: str, name: str) -> str:
    return head.partition(f"{name}: ")[2].partition("\r\n")[0]


def _ages(port: int, job_ids: list[str]) -> list[float]:
    """Wait for the accepted jobs; return how old each was at its end, infinite where it failed."""
    deadline = time.monotonic() + 2 * _MAX_AGE_SECONDS
    headers = {"Authorization": f"Bearer {ADMIN_API_KEY}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/v1/jobs/", headers=headers) as http:
        # Jobs end about in the order in which they came.
        return [_age(_await_end(http, job_id, deadline)) for job_id in job_ids]


def _await_end(http: httpx.Client, job_id: str, deadline: float) -> dict[str, Any]:
    while True:
        job: dict[str, Any] = http.get(job_id).raise_for_status().json()
        if "finished_at" in job or time.monotonic() > deadline:
            return job
        time.sleep(0.1)


def _age(job: dict[str, Any]) -> float:
    if job["status"] != "succeeded":
        return float("inf")
    begin, end = (datetime.fromisoformat(job[name]) for name in ("enqueued_at", "finished_at"))
    return (end - begin).total_seconds()


def _age_figure(ages: list[float], answers: _Answers) -> Figure:
    oldest = percentile(ages, 99)
    offered = len(ages) + len(answers.refused_seconds)
    return Figure(
        f"age of accepted jobs at {_FACTOR} times the load that can be hashed, p99",
        f"{oldest:.1f} s",
        f"{len(ages)} of {offered} accepted; the oldest allowed age is {_MAX_AGE_SECONDS:.0f} s",
        oldest / _MAX_AGE_SECONDS,
        "at most 1",
    )


def _glance_figure(idle: list[float], answers: _Answers) -> Figure:
    flooded = statistics.median(answers.glance_seconds)
    refused = percentile(answers.refused_seconds, 99)
    return Figure(
        "a read of the database under that load, median",
        f"{flooded * 1000:.1f} ms",
        f"idle: {statistics.median(idle) * 1000:.1f} ms; a 429 took {refused * 1000:.1f} ms at p99",
        flooded / statistics.median(idle),
        "",
    )


if __name__ == "__main__":
    print(table(measure()))
