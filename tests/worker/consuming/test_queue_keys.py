"""Queue keys of two apps: each acts for itself alone, whatever it writes into Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, cast

import bcrypt
import pytest

import catfeeder
from actors.apps.registration import create_app, delete_app, revoke_queue_key
from catfeeder.client import Client, Job
from catfeeder.clock import utc_now
from catfeeder.errors import JobExpired, JobFailed, SealBroken
from catfeeder.messages import (
    CATALOGUE,
    CHECK_PASSWORD,
    CHECK_POLICY,
    QUARANTINE,
    REVOKE_CONNECTION,
    SHUT_DOWN,
    MessageType,
)
from catfeeder.queue.broker import assign_redis_id, build_message
from catfeeder.queue.encoder import to_json
from catfeeder.queue.envelope import AppSealer
from catfeeder.queue.jobs.parts import seal_end
from catfeeder.queue.jobs.scripts import job_key
from catfeeder.queue.jobs.store import JobStatus
from catfeeder.queue.requester import act_for
from catfeeder.sealing import Secret
from config import Settings, current_settings
from models.db.database import hold_connection
from models.events import TAB_EVENTS
from models.oauth.connections import TAB_CONNECTIONS
from tests.actors.test_registry import SENT
from tests.conftest import StartWorker, derive_app_key
from tests.dead_letters import set_aside
from tests.jobs import run_of
from tests.models.rows import stored_connection
from tests.servers import ValkeyServer
from tests.waiting import wait_until
from tests.worker.worker_process import Workers
from worker.consuming.recognition import NotForApps
from worker.process.build import build_broker
from worker.process.perform import stop_worker
from worker.queue.key_list import UNKNOWN, KeyList, publish

PASSWORD = "correct horse battery staple"


@pytest.fixture
def shop(tables: Settings) -> Iterator[Client]:
    """A client with the queue key of the app `shop`."""
    create_app("shop", "The shop", {}, utc_now())
    yield from connected(tables, "shop")


@pytest.fixture
def blog(tables: Settings) -> Iterator[Client]:
    """A client with the queue key of the app `blog`: the attacker."""
    create_app("blog", "The blog", {}, utc_now())
    yield from connected(tables, "blog")


def connected(settings: Settings, app: str, generation: int = 1) -> Iterator[Client]:
    key = derive_app_key(settings, app, generation).to_text()
    with catfeeder.connect(settings.required_redis_url(), key) as client:
        yield client


def push(client: Client, message_type: MessageType, kwargs: dict[str, Any], **options: Any) -> str:
    """Seal whatever the text says with a client's key, as a program of its own would."""
    message = assign_redis_id(build_message(message_type, kwargs))
    fields = {**message.asdict(), "options": {**message.options, **options}}
    body = client.broker.encoder.sealer.seal(to_json(fields), "message")
    redis, queue = client.redis, f"catfeeder:{message_type.queue}"
    redis.hset(f"{queue}.msgs", message.options["redis_message_id"], cast("Any", body))
    redis.rpush(queue, message.options["redis_message_id"])
    return message.message_id


def reasons(service: Client) -> set[str]:
    return {letter["reason"] for letter in set_aside(service.broker)}


@pytest.mark.usefixtures("worker")
def test_an_app_is_answered_under_its_key_which_no_other_app_reads(
    shop: Client, blog: Client, service: Client
) -> None:
    job = shop.check_password(PASSWORD, None)
    assert job.result(timeout=60) == {"valid": False, "needs_rehash": False}
    with pytest.raises(JobExpired):
        blog.job(job.id).record()
    # The shim reads any, and knows whose it is.
    record = service.job(job.id).record()
    assert (record.app, record.result["valid"]) == ("shop", False)


def test_nothing_of_a_message_opens_with_another_apps_key(
    shop: Client, blog: Client, valkey: ValkeyServer
) -> None:
    shop.check_password(PASSWORD, "$2b$10$x")
    [body] = cast("list[bytes]", valkey.client.hvals("catfeeder:passwords.msgs"))
    with pytest.raises(SealBroken):
        blog.broker.encoder.sealer.open(body, "message")
    assert PASSWORD.encode() not in body


def test_an_app_forges_no_result_of_another(shop: Client, blog: Client, service: Client) -> None:
    # Given a check that waits, of the shop's own and of the shim's for the shop
    own = shop.check_password(PASSWORD, None)
    shims = service.enqueue(CHECK_PASSWORD, password=Secret(PASSWORD), password_hash=None)
    for job, reader in ((own, shop), (shims, service)):
        run = run_of(reader.jobs, job.id)._replace(key=None)
        # When the blog writes into Redis that the password is right
        sealer = blog.broker.encoder.sealer
        forged = seal_end(sealer, run, JobStatus.SUCCEEDED, utc_now(), result={"valid": True})
        ended: Any = {"status": "succeeded", "end": forged}
        blog.redis.hset(job_key(job.id), mapping=ended)
        # Then neither the shop nor the shim believes it
        for each in (shop, service):
            with pytest.raises(JobExpired):
                each.job(job.id).result(timeout=0)


def test_an_app_acts_for_itself_whatever_its_message_says(
    shop: Client, blog: Client, service: Client, start_worker: StartWorker
) -> None:
    # Given a user of the shop
    connection = stored_connection(app="shop")
    arguments = {"connection_id": connection.id}
    # When the blog disconnects the user, in its own name, the shop's and the operator's
    plain = blog.revoke_connection(connection.id)
    push(blog, REVOKE_CONNECTION, arguments, app="shop")
    push(blog, REVOKE_CONNECTION, arguments, requester="admin")
    push(blog, REVOKE_CONNECTION, arguments, sealed_by=f"shop.1.{'0' * 8}")
    start_worker()
    # Then there is no such connection, and what claims to be another's is set aside
    with pytest.raises(JobFailed) as refused:
        plain.result(timeout=60)
    assert refused.value.code == "connection_unknown"
    wait_until(lambda: len(set_aside(service.broker)) == 3)
    assert reasons(service) == {"Its options are not its own redis_message_id alone."}
    with hold_connection():
        assert TAB_CONNECTIONS.find(connection.id) is not None
    # And the shop disconnects its user
    assert shop.revoke_connection(connection.id).result(timeout=60)["id"] == connection.id


def test_an_app_s_message_brings_its_request_and_its_trace_along(
    shop: Client, start_worker: StartWorker
) -> None:
    # Given two users of the shop, and messages with what belongs there and what does not
    first, second = stored_connection(app="shop"), stored_connection("account-2", app="shop")
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    good = {"request_id": "shop-17", "traceparent": trace}
    push(shop, REVOKE_CONNECTION, {"connection_id": first.id}, **good)
    bad = {"request_id": "not a\nsane one", "traceparent": "00-0-0-0"}
    push(shop, REVOKE_CONNECTION, {"connection_id": second.id}, **bad)
    start_worker()

    # Then both are performed, and the event of one names its request
    def details() -> list[Any]:
        with hold_connection():
            revoked = TAB_EVENTS.list_page(kind="revoked", limit=10)
        return [(event.detail or {}).get("request_id") for event in revoked]

    wait_until(lambda: len(details()) == 2)
    assert set(details()) == {"shop-17", None}


def test_an_app_sends_no_message_of_the_service(
    blog: Client, service: Client, start_worker: StartWorker
) -> None:
    # When an app sends what stops the service, renews, cleans, quarantines
    internal = {kind for kind in CATALOGUE.values() if not kind.is_for_apps}
    jobs: dict[str, dict[str, Any]] = {"shut_down": {"generation": 1}}
    jobs |= {"check_policy": {"password": Secret("x"), "scheme": None}}
    jobs |= {name: {"provider": "house"} for name in ("discover_provider", "check_provider")}
    for kind in internal:
        push(blog, kind, SENT.get(kind) or jobs.get(kind.name, {}))
    asked = blog.enqueue(SHUT_DOWN, generation=1)
    start_worker()
    # Then each is set aside, unperformed, and a job among them fails with the reason
    with pytest.raises(JobFailed, match="the service alone sends") as refused:
        asked.result(timeout=60)
    assert refused.value.code == "not_for_apps"
    wait_until(lambda: len(set_aside(service.broker)) == len(internal) + 1)
    assert reasons(service) == {NotForApps.message}
    assert QUARANTINE in internal
    assert "renew_connections" in {kind.name for kind in internal}


def test_a_revoked_key_opens_nothing_more_and_another_app_goes_on(
    tables: Settings, shop: Client, blog: Client, service: Client, start_worker: StartWorker
) -> None:
    # Given two apps that are served
    start_worker()
    assert shop.hash_password("x", rounds=4).result(timeout=60)
    # When the key of one is revoked
    assert revoke_queue_key("shop", utc_now())["queue_generation"] == 2
    wait_until(lambda: is_refused(shop, service))
    assert reasons(service) == {"The queue key of its app that sealed it was revoked."}
    # Then the other goes on, and so does the one with its new key
    for client in (blog, *connected(tables, "shop", 2)):
        assert client.hash_password("x", rounds=4).result(timeout=60)
    # And a worker of after the revocation refuses the old one, too; so is one that never was
    with closing(build_broker(tables)) as restarted:
        for key in (derive_app_key(tables, "shop"), derive_app_key(tables, "shop", 3)):
            with pytest.raises(SealBroken, match=r"revoked|no such generation"):
                restarted.encoder.sealer.open(AppSealer([key]).seal(b"x", "message"), "message")


def is_refused(client: Client, service: Client) -> bool:
    """Return whether a job of a client is set aside."""
    before = len(set_aside(service.broker))
    job: Job[Any] = client.hash_password("x", rounds=4)
    wait_until(
        lambda: (
            len(set_aside(service.broker)) > before or service.job(job.id).record().status.is_final
        )
    )
    return len(set_aside(service.broker)) > before


def test_the_passwords_process_has_no_database_and_hears_of_a_revocation(
    tables: Settings, shop: Client, blog: Client, service: Client, workers: Workers
) -> None:
    # Given a process of the passwords alone, to which nothing was ever published
    workers.start()
    assert shop.hash_password("0 s, of the shop").result(timeout=60)
    # When the shop's key is revoked, the blog is deleted, and a scheduler publishes that
    revoke_queue_key("shop", utc_now())
    delete_app("blog", utc_now())
    publish(service.redis, service.broker.encoder.sealer)
    # Then neither opens anything within seconds, and the shop's new key does
    wait_until(lambda: is_refused(shop, service), 20)
    assert is_refused(blog, service)
    for renewed in connected(tables, "shop", 2):
        assert renewed.hash_password("0 s, of the shop").result(timeout=60)


@pytest.fixture
def judging(tables: Settings, toml_conf: dict[str, Any]) -> Settings:
    """The settings of the test, with the policy."""
    toml_conf["Passwords"]["policy"] = True
    current_settings.cache_clear()
    return tables


def test_what_an_app_is_called_counts_in_a_process_without_the_database(
    judging: Settings, shop: Client, blog: Client, service: Client, start_worker: StartWorker
) -> None:
    # Given a process that knows of apps what was published
    publish(service.redis, service.broker.encoder.sealer)
    password = Secret("TheShop2026!")
    with closing(build_broker(judging, known_keys=UNKNOWN)) as broker:
        worker = start_worker(broker=broker)
        # When a password is made of an app's name, then it is refused by that app
        with pytest.raises(JobFailed) as refused:
            shop.hash_password(password).result(timeout=60)
        assert refused.value.code == "password_too_easy"
        # And so it is by the service, asked for that app; and another app takes it
        for app, acceptable in (("shop", False), ("blog", True)):
            with act_for(app):
                asked = service.enqueue(CHECK_POLICY, password=password, scheme=None)
            assert asked.result(timeout=60)["acceptable"] is acceptable
        assert blog.hash_password(password).result(timeout=60)
        stop_worker(worker, 60)


def test_an_app_asks_for_no_dearer_hash_than_it_may(
    tables: Settings, shop: Client, blog: Client, start_worker: StartWorker
) -> None:
    # Given an app with a bound of its own
    known = KeyList(utc_now(), {"shop": 1, "blog": 1}, {"shop": 5})
    dear = bcrypt.hashpw(b"x", bcrypt.gensalt(6)).decode()
    with closing(build_broker(tables, known_keys=known)) as broker:
        worker = start_worker(broker=broker)
        # When it asks for more, then that is refused
        for job, code in (
            (shop.hash_password("x", rounds=6), "rounds_out_of_range"),
            (shop.check_password("x", dear), "password_hash_too_slow"),
        ):
            with pytest.raises(JobFailed) as refused:
                job.result(timeout=60)
            assert refused.value.code == code
        # And not what it may, nor another app's
        assert shop.hash_password("x", rounds=5).result(timeout=60)
        assert blog.check_password("x", dear).result(timeout=60)["valid"]
        stop_worker(worker, 60)
