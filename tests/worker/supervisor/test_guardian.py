"""The guardian: whom it ends when its supervisor is gone, and that it ends nobody otherwise."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from worker.supervisor.guardian import Guardian


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def watch_and_die(pids: list[list[int]]) -> None:
    """Let another process watch over pids, list after list, and be killed."""
    code = (
        "import os, signal, worker.supervisor.guardian\n"
        "guardian = worker.supervisor.guardian.Guardian()\n"
        f"for pids in {pids}: guardian.watch_over(pids)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False)
    assert ended.returncode == -signal.SIGKILL


def test_what_a_killed_supervisor_leaves_is_asked_to_end(
    sleeper: subprocess.Popen[bytes],
) -> None:
    watch_and_die([[], [sleeper.pid]])

    assert sleeper.wait(60) == -signal.SIGTERM


def test_only_the_last_list_counts(sleeper: subprocess.Popen[bytes]) -> None:
    # Given a process that ended, and whose number may be another's by now
    with subprocess.Popen(["sleep", "600"]) as other:
        watch_and_die([[sleeper.pid, other.pid], [other.pid]])
        assert other.wait(60) == -signal.SIGTERM

    assert sleeper.poll() is None


def test_a_dismissed_guardian_ends_nobody(sleeper: subprocess.Popen[bytes]) -> None:
    guardian = Guardian()
    guardian.watch_over([sleeper.pid])

    guardian.dismiss()

    assert sleeper.poll() is None
