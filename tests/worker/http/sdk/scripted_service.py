"""A service whose answers a test scripts: overload, jobs that take long, connections that break."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.provider.answers import Answer, json_answer
from tests.provider.server import Request, running_server


@dataclass
class ScriptedService:
    """Gives its answers in turn, the last one for ever, and keeps what it was asked and when."""

    answers: list[Answer]
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)

    def take(self, request: Request) -> Answer:
        """Answer a request."""
        self.moments.append(time.monotonic())
        self.requests.append(request)
        return self.answers[min(len(self.requests), len(self.answers)) - 1]

    def forget(self, *answers: Answer) -> None:
        """Begin anew with other answers."""
        self.answers = [*answers]
        self.requests.clear()
        self.moments.clear()


@contextmanager
def scripted(*answers: Answer) -> Iterator[ScriptedService]:
    """Serve for the block."""
    service = ScriptedService([*answers])
    with running_server(service.take) as server:
        service.url = f"http://127.0.0.1:{server.server_port}"
        yield service


def build_problem(status: int, code: str, **headers: str) -> Answer:
    """Return a problem (RFC 9457)."""
    body = {"type": "about:blank", "title": code, "status": status, "code": code, "detail": code}
    return json_answer(body, status, **headers, Content_Type="application/problem+json")


def build_job(status: str, **members: Any) -> Answer:
    """Return a job that hashes a password."""
    job = {"id": "j-1", "actor": "hash_password", "queue": "passwords", "status": status}
    return json_answer({**job, "enqueued_at": "2026-11-30T12:00:00Z", **members})
