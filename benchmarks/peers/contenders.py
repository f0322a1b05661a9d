"""Contenders: the peers that are installed, each with a running worker and a way to ask it."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from benchmarks.measuring.stack import running
from config import ROOT

#: Sends the work of `check_password` and returns its result.
Ask = Callable[[str, str], object]

#: For each peer its package and how its worker is started, with one process as ours.
_WORKERS: Final = {
    "bare Dramatiq": (
        "dramatiq",
        "benchmarks.peers.dramatiq_app",
        "dramatiq benchmarks.peers.dramatiq_app:broker --processes 1 --threads 1",
    ),
    "Celery": (
        "celery",
        "benchmarks.peers.celery_app",
        "celery -A benchmarks.peers.celery_app worker --concurrency 1",
    ),
    "RQ": ("rq", "benchmarks.peers.rq_app", "rq worker --url $URL"),
    "Huey": (
        "huey",
        "benchmarks.peers.huey_app",
        "huey_consumer benchmarks.peers.huey_app.huey --workers 1",
    ),
}


@contextmanager
def running_peers(redis_url: str) -> Iterator[dict[str, Ask]]:
    """Start a worker of every peer that is installed, and yield how to ask each."""
    os.environ["BENCHMARK_REDIS_URL"] = redis_url
    variables = {"PYTHONPATH": str(ROOT), "BENCHMARK_REDIS_URL": redis_url}
    asks = {}
    with ExitStack() as workers:
        for name, (package, module, line) in _WORKERS.items():
            if find_spec(package) is None:
                continue
            program, *rest = line.replace("$URL", redis_url).split()
            command = [str(Path(sys.executable).parent / program), *rest]
            workers.enter_context(running(command, variables))
            asks[name] = importlib.import_module(module).ask
        yield asks
