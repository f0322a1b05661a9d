"""Caretaker of the benchmarks: what they have started ends with them, even by SIGKILL."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from config import ROOT
from tests.waiting import wait_until

#: A benchmark whose server has a child, which has lost its environment. Ctrl-C lets it tidy up.
_BENCHMARK = """
import shutil, sys, time
from pathlib import Path
from benchmarks.measuring.stack import running

try:
    with running(["sh", "-c", "env -i sleep 600 & touch started; wait"], {}, Path(sys.argv[1])):
        time.sleep(600)
finally:
    shutil.rmtree(sys.argv[1])
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A temporary folder as benchmarks make it."""
    path = Path(tempfile.mkdtemp(prefix="cf-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda it: it.name
)
def test_what_a_killed_benchmark_has_started_ends(folder: Path, number: signal.Signals) -> None:
    # Given a benchmark with a server of two processes
    with subprocess.Popen([sys.executable, "-c", _BENCHMARK, str(folder)], cwd=ROOT) as benchmark:
        wait_until((folder / "started").exists)
        started: list[psutil.Process] = []

        def is_whole() -> bool:
            started[:] = psutil.Process(benchmark.pid).children(recursive=True)
            return {"sh", "sleep"} <= {process.name() for process in started}

        wait_until(is_whole)
        # When it is killed
        benchmark.send_signal(number)
    # Then they end, the caretaker too, and their folder is gone
    assert psutil.wait_procs(started, 60)[1] == []
    assert not folder.exists()
