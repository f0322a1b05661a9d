"""Stop signals: none is lost, even if it does not wake the waiting thread."""

from __future__ import annotations

import subprocess
import sys

import pytest

from config import ROOT

_PROCESS = """
import signal
import threading
import time

from worker.process.signals import StopSignals

signals = StopSignals()

def send():
    time.sleep({seconds})
    # To this thread alone: the main one sleeps on, as it does if a signal comes just before.
    signal.pthread_kill(threading.get_ident(), signal.{name})

threading.Thread(target=send).start()
{before}
signals.wait()
print("heard")
{after}
"""


def _run(name: str, seconds: float = 0.2, before: str = "", after: str = "") -> tuple[int, str]:
    code = _PROCESS.format(name=name, seconds=seconds, before=before, after=after)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_signal_that_another_thread_gets_is_heard(name: str) -> None:
    assert _run(name) == (0, "heard\n")


def test_a_signal_that_came_before_is_heard() -> None:
    assert _run("SIGTERM", seconds=0, before="time.sleep(0.2)") == (0, "heard\n")


def test_a_second_signal_ends_the_process_at_once() -> None:
    status, printed = _run("SIGTERM", after="signal.raise_signal(signal.SIGTERM); print('later')")
    assert (status, printed) == (1, "heard\n")
