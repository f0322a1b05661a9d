"""Least privilege of a process that no supervisor of ours has started."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from catfeeder.client import Client
from config import IGNORE_ENV_FILE, ROOT, Settings
from tests.conftest import ADMIN_API_KEY, SECRET_KEY
from tests.stack.memory import find_in_process
from tests.stack.processes import ProcfileProcess
from tests.waiting import wait_until
from worker.process.own_secrets import build_environment, select_needs
from worker.supervisor.procfile import read_procfile

_CLIENT_SECRET = "a-client-secret-of-google-Zq9"
_PASSWORDS = "perform --queues passwords --threads 1 --prefetch 1 --grace 1"
_SECRETS = {
    "SECRET_KEY": SECRET_KEY,
    "ADMIN_API_KEY": ADMIN_API_KEY,
    "GOOGLE_CLIENT_SECRET": _CLIENT_SECRET,
}


@pytest.fixture
def process(
    tables: Settings, environment: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[ProcfileProcess]:
    """A process of a command, which honcho or systemd has given all that there is."""
    assert tables.secret_key == SECRET_KEY
    given = {**os.environ, **environment, "GOOGLE_CLIENT_SECRET": _CLIENT_SECRET}
    command = f"{shlex.quote(sys.executable)} -m worker {request.param}"
    started = ProcfileProcess("line", command, {**given, "PYTHONPATH": str(ROOT)}, tmp_path)
    yield started
    started.stop()


@pytest.mark.parametrize("process", ["scheduler"], indirect=True)
def test_a_scheduler_holds_no_key_of_the_api_and_no_credentials(process: ProcfileProcess) -> None:
    wait_until(lambda: f"{IGNORE_ENV_FILE}=" in _environment_of(process))
    assert "DATABASE_URL" in _environment_of(process)
    assert find_in_process(process.process.pid, _SECRETS) <= {"SECRET_KEY"}


def _environment_of(process: ProcfileProcess) -> str:
    return Path(f"/proc/{process.process.pid}/environ").read_text()


@pytest.mark.parametrize("process", [_PASSWORDS], ids=["passwords"], indirect=True)
def test_a_process_of_the_passwords_holds_the_keys_of_the_queue_alone(
    process: ProcfileProcess, client: Client
) -> None:
    # Given that it works
    wait_until(lambda: "Ready for the messages" in process.output, 60)
    assert client.hash_password("correct horse battery").result(timeout=60)["password_hash"]

    # Then neither its environment nor its memory has another secret, nor leads to the database
    assert find_in_process(process.process.pid, _SECRETS) == set()
    environment = _environment_of(process)
    assert "QUEUE_KEYS=" in environment
    assert "DATABASE_URL" not in environment


@pytest.mark.parametrize("name", ["PASSWORD_PEPPER", "PASSWORD_PEPPER_FILE"])
def test_the_pepper_is_for_the_passwords_alone(settings: Settings, name: str) -> None:
    lines = read_procfile(ROOT / "Procfile")
    kept = {
        line: name in build_environment({name: "x"}, needs, settings)
        for line, command in lines.items()
        if (needs := select_needs(command)) is not None
    }
    assert [line for line in kept if kept[line]] == ["passwords"]
    assert len(kept) == 4
