"""Least privilege of a process that no supervisor of ours has started."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from catfeeder.client import Client
from config import ROOT, Settings
from tests.conftest import ADMIN_API_KEY, SECRET_KEY
from tests.stack.memory import find_in_process
from tests.stack.processes import ProcfileProcess
from tests.waiting import wait_until

_CLIENT_SECRET = "a-client-secret-of-google-Zq9"
_LINE = "-m worker perform --queues passwords --threads 1 --prefetch 1 --grace 1"


@pytest.fixture
def process(
    tables: Settings, environment: dict[str, str], tmp_path: Path
) -> Iterator[ProcfileProcess]:
    """A process of the passwords, which honcho or systemd has given all that there is."""
    assert tables.secret_key == SECRET_KEY
    given = {**os.environ, **environment, "GOOGLE_CLIENT_SECRET": _CLIENT_SECRET}
    command = f"{shlex.quote(sys.executable)} {_LINE}"
    started = ProcfileProcess("passwords", command, {**given, "PYTHONPATH": str(ROOT)}, tmp_path)
    yield started
    started.stop()


def test_a_process_of_the_passwords_holds_the_keys_of_the_queue_alone(
    process: ProcfileProcess, client: Client
) -> None:
    # Given that it works
    wait_until(lambda: "Ready for the messages" in process.output, 60)
    assert client.hash_password("correct horse battery").result(timeout=60)["password_hash"]

    # Then neither its environment nor its memory has another secret, nor leads to the database
    secrets = {
        "SECRET_KEY": SECRET_KEY,
        "ADMIN_API_KEY": ADMIN_API_KEY,
        "GOOGLE_CLIENT_SECRET": _CLIENT_SECRET,
    }
    assert find_in_process(process.process.pid, secrets) == set()
    environment = Path(f"/proc/{process.process.pid}/environ").read_text()
    assert "QUEUE_KEYS=" in environment
    assert "DATABASE_URL" not in environment
