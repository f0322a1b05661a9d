"""Guardian: the processes of a killed supervisor end, and no others do."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import worker.supervisor.guardian
from worker.errors import ServiceFailure
from worker.supervisor.guardian import Guardian


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def watch_and_die(pids: list[list[int]]) -> None:
    """Start a process that watches pids, list after list, and kills itself."""
    code = (
        "import os, signal, worker.supervisor.guardian\n"
        "guardian = worker.supervisor.guardian.Guardian()\n"
        f"for pids in {pids}: guardian.watch(pids)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False)
    assert ended.returncode == -signal.SIGKILL


def test_the_processes_of_the_last_list_get_sigterm_when_the_supervisor_is_killed(
    sleeper: subprocess.Popen[bytes],
) -> None:
    # Given a process that ended, and whose number may be another process's by now
    with subprocess.Popen(["sleep", "600"]) as other:
        watch_and_die([[sleeper.pid, other.pid], [other.pid]])
        assert other.wait(60) == -signal.SIGTERM

    assert sleeper.poll() is None


def test_a_stopped_guardian_ends_no_process(sleeper: subprocess.Popen[bytes]) -> None:
    guardian = Guardian()
    guardian.watch([sleeper.pid])

    guardian.stop()

    assert sleeper.poll() is None


@pytest.mark.parametrize("kind", ["missing", "not executable"])
def test_a_machine_without_a_shell_is_told_so(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = tmp_path / "sh"
    if kind == "not executable":
        shell.touch(mode=0o600)
    monkeypatch.setattr(worker.supervisor.guardian, "SHELL", str(shell))

    with pytest.raises(ServiceFailure, match="/bin/sh cannot be run"):
        Guardian()
