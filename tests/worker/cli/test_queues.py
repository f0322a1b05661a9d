"""`queues` and `replay`: the report, the dead letters, and what is sent anew."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from actors.apps.registration import create_app
from actors.queue.dead_letters import DeadLetters
from catfeeder.client import Client
from catfeeder.clock import utc_now
from catfeeder.messages import PASSWORDS
from catfeeder.queue.jobs.store import JobError
from config import current_settings
from tests.jobs import fail
from tests.worker.cli.conftest import Command
from worker.supervisor.valkey.embedded import EmbeddedValkey, find_running_url


def add_dead_letter(client: Client, letter_id: str, body: bytes | None = None) -> str:
    """Make a job a dead letter; return its id."""
    job = client.hash_password("hunter2", rounds=4)
    [found] = client.redis.hvals(f"catfeeder:{PASSWORDS}.msgs")
    body = body or cast("bytes", found)
    DeadLetters(client.broker).add(PASSWORDS, letter_id, "internal_error", body)
    fail(client.jobs, job.id, JobError("internal_error", "It broke.", permanent=False), utc_now())
    client.redis.delete(f"catfeeder:{PASSWORDS}", f"catfeeder:{PASSWORDS}.msgs")
    return job.id


def test_an_operator_sees_what_waits_and_what_failed_and_sends_it_anew(
    client: Client, command: Command
) -> None:
    # Given a job that failed, rubbish, and a job that waits
    failed = add_dead_letter(client, "a letter")
    add_dead_letter(client, "rubbish", b"hunter2")
    client.hash_password("hunter2")
    # When the operator looks
    overview = command("queues")
    # Then each queue is there with what waits and what failed
    assert overview.returncode == 0, overview.stderr
    lines = {line.split()[0]: line.split() for line in overview.stdout.splitlines()}
    assert list(lines) == ["QUEUE", "passwords", "oauth", "renewals", "control"]
    assert lines["passwords"][1] == "1"
    assert lines["passwords"][-2:] == ["2", "internal_error"]
    assert lines["oauth"][1:3] == ["0", "-"]
    # And the dead letters are listed without what they hold
    listed = command("queues", "passwords")
    assert listed.returncode == 0, listed.stderr
    assert f"hash_password\tdefault\t{failed}\tinternal_error" in listed.stdout
    assert "hunter2" not in listed.stdout + listed.stderr
    # When they are sent anew
    replayed = command("replay", "passwords")
    # Then what can be sent is
    assert replayed.stdout == "1 of 2 messages were sent anew.\n"
    assert "rubbish stays" in replayed.stderr
    assert replayed.returncode == 1
    assert client.broker.depth(PASSWORDS) == 2
    assert client.job(failed).record().status == "queued"
    # And the rest can be discarded, once
    assert command("discard", "passwords", "--id", "rubbish").stdout == (
        "1 of 1 messages were discarded.\n"
    )
    again = command("discard", "passwords", "--id", "rubbish")
    assert (again.returncode, again.stderr) == (1, "rubbish is unknown.\n")


@pytest.mark.usefixtures("tables")
def test_one_dead_letter_can_be_chosen(client: Client, command: Command) -> None:
    for letter_id in ("one", "other"):
        add_dead_letter(client, letter_id)
    # Of another app there are none
    create_app("shop", "The shop", {}, utc_now())
    of_shop = ("passwords", "--app", "shop")
    assert command("queues", *of_shop).stdout == ""
    assert command("replay", *of_shop).stdout == "0 of 0 messages were sent anew.\n"
    assert command("discard", *of_shop, "--id", "one").stderr == "one is unknown.\n"
    assert command("discard", "passwords", "--app", "none").returncode == 1
    assert command("queues", "passwords", "--app", "default").stdout.count("hash_password") == 2
    assert command("replay", "passwords", "--id", "one").returncode == 0
    assert DeadLetters(client.broker).ids(PASSWORDS) == ["other"]


def test_control_characters_reach_no_terminal(client: Client, command: Command) -> None:
    # Given an id that a terminal would take for a command
    add_dead_letter(client, "\x1b[2Jred")
    listed = command("queues", "passwords")
    assert "?[2Jred" in listed.stdout
    assert "\x1b" not in listed.stdout + listed.stderr


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    "arguments", [("queues", "birds"), ("replay", "birds"), ("discard", "birds")]
)
def test_an_unknown_queue_is_refused(command: Command, arguments: tuple[str, ...]) -> None:
    ended = command(*arguments)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("There is no such queue")


@pytest.mark.usefixtures("settings")
def test_a_broker_that_does_not_run_is_named(environment: dict[str, str], command: Command) -> None:
    environment["REDIS_URL"] = ""
    current_settings.cache_clear()
    ended = command("queues")
    assert ended.returncode == 1
    assert ended.stderr.startswith("The service of this VAR_DIR does not run: start it by `make")


@pytest.mark.parametrize("name", ["short", "long" * 30])
def test_our_own_valkey_is_found(tmp_path: Path, name: str) -> None:
    # Given a server of ours, on whatever path
    valkey = EmbeddedValkey(tmp_path / name)
    valkey.start()
    try:
        assert find_running_url(tmp_path / name) == valkey.url
    finally:
        valkey.stop()
    assert not (tmp_path / name / "valkey" / "valkey.sock").is_symlink()
