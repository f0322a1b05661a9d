"""The wire format: docs/wire-format.md is true, and enough to enqueue from Node."""

from __future__ import annotations

import inspect
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import bcrypt
import dramatiq
import pytest

from actors.passwords import PasswordHandling
from actors.registry import PERFORMERS, load_performer
from catfeeder.client import Client
from catfeeder.messages import CATALOGUE
from catfeeder.queue.broker import ENQUEUE_SCRIPT
from catfeeder.queue.envelope import AppSealer
from catfeeder.queue.jobs.records import JOB_TTL_SECONDS
from catfeeder.queue.jobs.scripts import CHANNEL_PREFIX, ENDED_TTL_SECONDS, job_key
from catfeeder.queue.keys import SERVICE, AppKey, KeyName, derive_queue_key
from catfeeder.queue.lanes import NOTIFICATION_PREFIX
from catfeeder.sealing import QUEUE_LABEL, Key, derive_subkey, key_id
from config import ROOT
from tests.servers import ValkeyServer
from tests.waiting import wait_until

PAGE: Final = (ROOT / "docs" / "wire-format.md").read_text()
SCRIPT: Final = Path(__file__).with_name("wire_format.mjs")
PASSWORD: Final = "correct horse battery stäple".encode()


@pytest.fixture
def node() -> str:
    """Node, where it is installed."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("Node is not installed, which would enqueue by docs/wire-format.md")
    return found


def run(
    node: str, valkey: ValkeyServer, key: str, actor_name: str, **arguments: object
) -> dict[str, Any]:
    """Let Node ask for a job; return what it prints of it."""
    ended = subprocess.run(
        command(node, valkey, key, actor_name, **arguments),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    printed: dict[str, Any] = json.loads(ended.stdout)
    return printed


def command(
    node: str, valkey: ValkeyServer, key: str, actor_name: str, **arguments: object
) -> list[str]:
    """Return the command that asks for a job; arguments of bytes are secrets."""
    kwargs = {
        name: {"$secret": value.decode()} if isinstance(value, bytes) else value
        for name, value in arguments.items()
    }
    address = valkey.url.removeprefix("unix://")
    return [node, str(SCRIPT), address, key, actor_name, json.dumps(kwargs)]


@pytest.mark.usefixtures("worker")
def test_node_hashes_a_password_and_reads_the_result(
    node: str, valkey: ValkeyServer, queue_key: str, client: Client
) -> None:
    # When Node asks by the page alone
    answer = run(node, valkey, queue_key, "hash_password", password=PASSWORD, rounds=4)
    # Then it has opened the hash of that password
    assert answer["status"] == "succeeded"
    assert PasswordHandling().check_password(PASSWORD, answer["outcome"]["password_hash"])
    # And the job is one like any other
    assert client.job(answer["id"]).result(timeout=0) == answer["outcome"]


@pytest.mark.usefixtures("worker")
def test_node_checks_a_password_with_and_without_the_arguments_of_later_releases(
    node: str, valkey: ValkeyServer, queue_key: str
) -> None:
    # Given a hash that is out of date
    right = {
        "password": PASSWORD,
        "password_hash": bcrypt.hashpw(PASSWORD, bcrypt.gensalt(4, b"2a")),
    }
    asked = ({"password": PASSWORD, "password_hash": None}, right, {**right, "rehash": True})
    # When Node asks without a user, as a client of the first release does, and for a new hash
    nobody, plain, renewed = (
        run(node, valkey, queue_key, "check_password", **arguments)["outcome"]
        for arguments in asked
    )
    # Then each is answered
    assert nobody == {"valid": False, "needs_rehash": False}
    assert plain == {"valid": True, "needs_rehash": True}
    assert bcrypt.checkpw(PASSWORD, renewed["password_hash"].encode())


@pytest.mark.usefixtures("worker")
def test_node_reads_why_a_job_failed(node: str, valkey: ValkeyServer, queue_key: str) -> None:
    answer = run(node, valkey, queue_key, "hash_password", password=b"x" * 73)
    code, detail, permanent = answer["outcome"]
    assert (answer["status"], code, permanent) == ("failed", "password_too_long", True)
    assert detail.endswith(".")


def test_with_another_key_nothing_is_performed(
    node: str, valkey: ValkeyServer, worker: dramatiq.Worker
) -> None:
    # When Node asks with a key of the same app, of another service
    foreign = f"cfq_default.1.{'A' * 43}"
    asked = command(node, valkey, foreign, "hash_password", password=PASSWORD)
    process = subprocess.Popen(asked)
    # Then a worker sets the message aside
    wait_until(lambda: "catfeeder:passwords.XQ" in valkey.key_names())
    worker.join()
    [job] = [name for name in valkey.key_names() if name.startswith("catfeeder:job:")]
    assert valkey.client.hget(job, "status") != b"succeeded"
    # And Node waits in vain
    assert process.poll() is None
    process.kill()
    process.wait()


def test_the_example_of_a_sealed_value_is_right() -> None:
    key = AppKey.parse(found(r"with the key `(cfq_[\w.-]+)`"))
    sealed = bytes.fromhex(found(r"```text\n([0-9a-f]+)\n```"))
    context = found(r"the context `(job:[\w-]+)`")
    assert key_id(key.key).hex() == found(r"its id is `([0-9a-f]{8})`")
    assert sealed.hex()[36:60] == found(r"nonce `([0-9a-f]{24})`")
    opened = AppSealer([key]).open(sealed, context)
    assert opened.plaintext.decode() == found(r"the text `(\{.*?\})`")


def test_keys_are_derived_as_the_page_says() -> None:
    root, shop = Key(b"r" * 32), KeyName("web-shop", 2)
    app, service = (found(rf"the info `({info}[^`]*)`") for info in ("app/", "service"))
    label = app.replace("<app>", "web-shop").replace("<generation>", "2")
    assert derive_queue_key(root, shop) == derive_subkey(root, label)
    assert derive_queue_key(root, SERVICE) == derive_subkey(root, service)


def test_the_table_of_messages_is_that_of_the_catalogue() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.*?) \| .* \|$", PAGE, re.MULTILINE)
    assert {name for name, *_ in rows[1:]} == {
        name for name, kind in CATALOGUE.items() if kind.is_for_apps
    }
    for name, queue, words_of_arguments in rows[1:]:
        kind = CATALOGUE[name]
        assert (kind.queue, kind.is_job) == (queue, True)
        parameters = inspect.signature(load_performer(PERFORMERS[kind]), eval_str=True).parameters
        arguments = dict(re.findall(r"`(\w+)`([^`,]*)", words_of_arguments))
        needed = {each.name for each in parameters.values() if each.default is each.empty}
        # What else there is, the service alone has a use for.
        assert needed <= set(arguments) <= set(parameters), name
        for argument, words in arguments.items():
            takes = str(parameters[argument].annotation)
            assert ("secret" in words) == ("Secret" in takes), (name, argument)
            assert ("null" in words) == ("None" in takes), (name, argument)


def test_names_and_times_are_those_of_the_code() -> None:
    for said in (
        f"`{QUEUE_LABEL}`",
        f"EXPIRE  {job_key('<message_id>')} {JOB_TTL_SECONDS}",
        f"PUBLISH {NOTIFICATION_PREFIX}<queue_name>",
        f"BLMOVE {CHANNEL_PREFIX}<message_id>",
        f"for {ENDED_TTL_SECONDS} seconds from the end",
    ):
        assert said in PAGE
    most = found(r"from ([0-9,]+) on").replace(",", "")
    assert f">= {most} then" in ENQUEUE_SCRIPT.text


def found(pattern: str) -> str:
    """Return what the page says there."""
    match = re.search(pattern, PAGE)
    assert match, pattern
    return match[1]
