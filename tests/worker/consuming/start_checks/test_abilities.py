"""What a start tries of the broker: each thing that jobs need, with the remedy where it lacks."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis

from catfeeder.client import Client
from catfeeder.errors import QueueUnreachable, QueueUnusable
from catfeeder.queue.lua_scripts import call_script
from catfeeder.queue.redis.connection import connect_redis
from catfeeder.queue.redis.faults import GRANTS, refuse_old_version
from tests.conftest import StartWorker
from tests.ports import free_port
from tests.redis_servers import running_server
from tests.servers import ValkeyServer
from tests.waiting import wait_until
from tests.worker.conftest import StartPerformer
from worker.consuming.start_checks.abilities import check_abilities, check_if_reachable

_PASSWORD = "hunter2"
_RIGHTS = "let its administrator grant `ACL SETUSER"


@contextmanager
def user(valkey: ValkeyServer, rights: str) -> Iterator[str]:
    """Make a user with these rights alone; yield the REDIS_URL with it."""
    acl = ("ACL", "SETUSER", "app", "reset", "on", f">{_PASSWORD}", *rights.split())
    valkey.client.execute_command(*acl)
    try:
        yield valkey.url.replace("unix://", f"unix://app:{_PASSWORD}@")
    finally:
        valkey.client.execute_command("ACL", "DELUSER", "app")


def test_what_the_sentence_says_to_grant_suffices(valkey: ValkeyServer) -> None:
    with user(valkey, GRANTS) as url, connect_redis(url) as client:
        check_abilities(client)
    # And nothing of it stays
    assert valkey.key_names() == []


@pytest.mark.parametrize(
    "rights",
    [
        pytest.param("~catfeeder:* +@all", id="no channel"),
        pytest.param("~catfeeder:* &catfeeder:bell:* +@all", id="one channel of two"),
        pytest.param("~catfeeder:* &catfeeder:ended:* +@all", id="the other"),
        pytest.param("&* +@all", id="no key"),
        pytest.param("~catfeeder:job:* &* +@all", id="keys of jobs alone"),
        pytest.param("~* &* +@all -blmove", id="a blocking command"),
        pytest.param("~* &* +@all -@scripting", id="scripts"),
        pytest.param("~* &* +@all -hgetall", id="a command"),
        pytest.param("~* &* +@all -publish", id="a command of a script"),
        pytest.param("~* &* +@all -ping", id="even ping"),
    ],
)
def test_a_right_that_is_missing_is_named(valkey: ValkeyServer, rights: str) -> None:
    with (
        user(valkey, rights) as url,
        connect_redis(url) as client,
        pytest.raises(QueueUnusable, match=_RIGHTS) as refused,
    ):
        check_abilities(client)
    assert _PASSWORD not in str(refused.value)


def test_info_is_no_need(valkey: ValkeyServer) -> None:
    with user(valkey, "~* &* +@all -info") as url, connect_redis(url) as client:
        check_abilities(client)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda url: url.replace("unix://", "unix://app:wrong@"), "refuses the user or the pass"),
        (lambda url: f"{url}?db=99", "has no database of that number"),
    ],
)
def test_a_url_that_the_server_refuses_is_reported(
    valkey: ValkeyServer, change: Callable[[str], str], sentence: str
) -> None:
    with connect_redis(change(valkey.url)) as client:
        with pytest.raises(QueueUnusable, match=sentence):
            check_abilities(client)
        # A process that waits for a server does not wait for this
        with pytest.raises(QueueUnusable, match=sentence):
            check_if_reachable(client)


def test_a_socket_that_is_gone_is_reported_and_waited_for() -> None:
    with connect_redis("unix:///nowhere/valkey.sock") as client:
        with pytest.raises(QueueUnreachable, match="no socket at the path of REDIS_URL"):
            check_abilities(client)
        check_if_reachable(client)


@contextmanager
def running(*options: str) -> Iterator[redis.Redis]:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="cf-") as directory:
        arguments = ("--port", str(port), "--bind", "127.0.0.1", "--dir", directory, "--save", "")
        with running_server(*arguments, *options), connect_redis(f"redis://127.0.0.1:{port}") as c:
            wait_until(lambda: answers(c))
            yield c


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@pytest.mark.parametrize("has_slots", [False, True])
def test_a_cluster_is_reported(*, has_slots: bool) -> None:
    with running("--cluster-enabled", "yes") as client:
        if has_slots:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            wait_until(lambda: b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO"))
        with pytest.raises(QueueUnusable, match="is a cluster"):
            check_abilities(client)


def test_a_server_without_the_command_is_reported() -> None:
    with (
        running("--rename-command", "BLMOVE", "") as client,
        pytest.raises(QueueUnusable, match="too old: jobs need Redis"),
    ):
        check_abilities(client)


@pytest.mark.parametrize(
    ("version", "is_old"),
    [("5.0.14", True), ("6.0.16", True), ("6.2.0", False), ("7.2.4", False), ("", False)],
)
def test_an_old_version_is_reported(version: str, *, is_old: bool) -> None:
    assert (refuse_old_version(version) is not None) is is_old


def test_a_full_server_is_no_reason_not_to_start(valkey: ValkeyServer) -> None:
    # Given a server that takes no job, whose queues are to be worked off
    valkey.client.config_set("maxmemory", 1)
    try:
        check_abilities(valkey.client)
    finally:
        valkey.client.config_set("maxmemory", 0)


@pytest.mark.usefixtures("tables")
def test_a_process_that_performs_ends_with_the_sentence(
    valkey: ValkeyServer, environment: dict[str, str], start: StartPerformer
) -> None:
    with user(valkey, "~catfeeder:* +@all") as url:
        environment["REDIS_URL"] = url
        performer = start("passwords")
        wait_until(lambda: performer.has_ended)
    assert _RIGHTS in performer.output
    assert "Traceback" not in performer.output
    assert _PASSWORD not in performer.output


# -- What was taken is never denied


def test_a_job_is_taken_and_ends_where_no_channel_may_be_used(
    valkey: ValkeyServer, queue_key: str, start_worker: StartWorker, client: Client
) -> None:
    # Given an app whose user may announce nothing
    start_worker()
    with user(valkey, "~catfeeder:* +@all") as url:
        app = Client(connect_redis(url), client.broker.encoder.sealer)
        # When it asks for a job
        job = app.hash_password("hunter2", rounds=4)
        # Then there is no error, and the job is done
        assert job.result(timeout=60)["password_hash"]
        app.close()
    assert queue_key


def test_a_job_whose_answer_was_lost_is_taken_once(
    client: Client, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a connection that is lost after the server took a job
    calls = []

    def call_and_lose(*call: object) -> object:
        calls.append(call)
        answer = call_script(*call)  # type: ignore[arg-type]
        if len(calls) == 1:
            raise redis.ConnectionError
        return answer

    monkeypatch.setattr("catfeeder.queue.broker.call_script", call_and_lose)
    # When an app asks for one
    job = client.hash_password("hunter2")
    # Then it has it, once
    assert job.record().status == "queued"
    assert client.broker.depth("passwords") == 1
    assert valkey
