"""Fixtures of the worker's tests: processes that perform, ended after each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.scripted_provider import ScriptedProvider, running_scripted_provider
from tests.worker.performers import OURS, Performer
from tests.worker.worker_process import Workers


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    """A provider over real HTTP that behaves as its script says."""
    with running_scripted_provider() as started:
        yield started


@pytest.fixture
def environment(environment: dict[str, str], request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment, with the provider of a test as the one private host that may be called."""
    if "provider" in request.fixturenames:
        environment["OAUTH_ALLOWED_PRIVATE_HOSTS"] = request.getfixturevalue("provider").host
    return environment


@pytest.fixture
def workers(tables: object, environment: dict[str, str], tmp_path: Path) -> Iterator[Workers]:  # noqa: ARG001
    """Worker processes that tests may kill and freeze."""
    with Workers(environment, tmp_path).ended_at_last() as workers:
        yield workers


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str]) -> Iterator[Callable[..., Performer]]:
    """Starts a process that performs the messages of the queues named."""
    started: list[Performer] = []

    def start(*queues: str, command: tuple[str, ...] = OURS) -> Performer:
        log = tmp_path / f"performer-{len(started)}.log"
        started.append(Performer(log, environment, command, list(queues)))
        return started[-1]

    yield start
    for performer in started:
        if performer.process.poll() is None:
            performer.stop()
