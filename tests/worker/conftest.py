"""Fixtures of the worker's tests: processes that perform, ended after each test."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from config import ROOT
from tests.stack.processes import ProcfileProcess
from tests.worker.worker_process import Workers

StartPerformer = Callable[..., ProcfileProcess]
PERFORM: Final = "worker perform --prefetch 2 --grace 20"


@pytest.fixture
def workers(tables: object, environment: dict[str, str], tmp_path: Path) -> Iterator[Workers]:  # noqa: ARG001
    """Worker processes that tests may kill and freeze."""
    workers = Workers(environment, tmp_path)
    yield workers
    for worker in workers.started:
        worker.end()


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str]) -> Iterator[StartPerformer]:
    """Starts a process that performs the messages of the queues named."""
    started: list[ProcfileProcess] = []

    def start(*queues: str, command: str = PERFORM) -> ProcfileProcess:
        own = {"dramatiq_worker_timeout": "50", "PYTHONPATH": str(ROOT)}
        variables = {**os.environ, **environment, **own}
        name = f"performer-{len(started)}"
        line = f"{sys.executable} -m {command} --threads 2 --queues {' '.join(queues)}"
        started.append(ProcfileProcess(name, line, variables, tmp_path))
        return started[-1]

    yield start
    for performer in started:
        performer.end()
