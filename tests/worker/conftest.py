"""What the tests of the processes share: performers that are gone afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.worker.performers import OURS, Performer


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
