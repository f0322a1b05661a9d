"""Caretaker: ends what a benchmark has started, however the benchmark itself ends.

It is a process that waits for the end of a pipe, which comes with SIGKILL as well. What a benchmark
starts inherits a mark in its environment, by which it is found.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import psutil

from config import ROOT

_MARK: Final = "BENCHMARK_MARK"
#: Where databases and stacks of benchmarks are, by the first letters of their folders.
_FOLDERS: Final = "/tmp/cf-"  # noqa: S108
_SECONDS: Final = 20


def ensure_caretaker() -> None:
    """Start the caretaker, unless this process or the benchmark that started it has one."""
    if _MARK in os.environ:
        return
    os.environ[_MARK] = secrets.token_hex(8)
    # The other end is open as long as this process lives, and no process inherits it.
    read_end, _ = os.pipe()
    subprocess.Popen(
        [sys.executable, "-m", "benchmarks.measuring.caretaker", os.environ[_MARK]],
        cwd=ROOT,
        stdin=read_end,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(read_end)


def _list_marked(mark: str) -> set[psutil.Process]:
    """Return the processes of a benchmark, and those that they have started."""
    found: set[psutil.Process] = set()
    for process in psutil.process_iter():
        # Some servers write over their environment; those are children of what has the mark.
        with contextlib.suppress(psutil.Error):
            if process.environ().get(_MARK) == mark:
                found |= {process, *process.children(recursive=True)}
    return found - {psutil.Process()}


def _list_folders(processes: Iterable[psutil.Process]) -> set[Path]:
    """Return the temporary folders of benchmarks that processes work in."""
    found = set()
    for process in processes:
        with contextlib.suppress(psutil.Error):
            if (place := process.cwd()).startswith(_FOLDERS):
                found.add(Path(*Path(place).parts[:3]))
    return found


def _end_all(mark: str) -> None:
    """End a benchmark's processes, by SIGKILL where SIGTERM does not; erase its folders."""
    marked = _list_marked(mark)
    folders = _list_folders(marked)
    for process in marked:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, left = psutil.wait_procs(marked, _SECONDS)
    for process in {*left, *_list_marked(mark)}:
        with contextlib.suppress(psutil.Error):
            process.kill()
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.stdin.read()
    _end_all(sys.argv[1])
