"""Rights in Redis as `redis-acl` prints them: what both clients and the service do, and no more."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
import redis

import catfeeder
from actors.apps.registration import create_app
from catfeeder.clock import utc_now
from catfeeder.errors import QueueUnusable
from catfeeder.queue.redis.connection import connect_redis
from catfeeder.queue.redis.faults import describe_refusal
from config import Settings
from tests.conftest import StartWorker, derive_app_key
from tests.servers import ValkeyServer
from tests.worker.cli.conftest import Command
from worker.consuming.broker import ConsumingBroker
from worker.consuming.start_checks.abilities import check_abilities
from worker.process.build import build_broker

PASSWORD = "correct horse battery staple"
#: Reading what waits, others' lanes, what is remembered; erasing, and what an administrator does.
REFUSED = [
    "KEYS *",
    "SCAN 0",
    "FLUSHALL",
    "FLUSHDB",
    "CONFIG GET *",
    "CLIENT LIST",
    "ACL WHOAMI",
    "MONITOR",
    "SHUTDOWN NOSAVE",
    "DEL catfeeder:job:x",
    "UNLINK catfeeder:passwords",
    "RENAME catfeeder:job:x catfeeder:job:y",
    "LPOP catfeeder:passwords",
    "LRANGE catfeeder:passwords 0 -1",
    "HDEL catfeeder:passwords.msgs x",
    "HVALS catfeeder:passwords.msgs",
    "LLEN catfeeder:passwords.lane:blog",
    "HGETALL catfeeder:control.msgs",
    "RPUSH catfeeder:control x",
    "RPUSH catfeeder:renewals x",
    "HGETALL catfeeder:passwords.XQ.msgs",
    "HGETALL catfeeder:workers",
    "HSET catfeeder:keys x y",
    "HSET catfeeder:paused passwords 1",
    "EXPIRE catfeeder:jobs:default 1",
    "RPUSH catfeeder:passwords.lane:blog x",
    "RPUSH catfeeder:passwords.turns x",
    "EXISTS catfeeder:spent:x",
    "EXPIRE catfeeder:rate:x 1",
    "EXISTS catfeeder:idempotency:x",
    "PUBLISH catfeeder:bell:control x",
    "SUBSCRIBE other",
    "EVAL return(redis.call('DEL','catfeeder:job:x')) 0",
    "EVAL return(redis.call('GET','catfeeder:rate:x')) 0",
]


@pytest.fixture
def users(
    tables: Settings,  # noqa: ARG001
    command: Command,
    valkey: ValkeyServer,
) -> Iterator[dict[str, str]]:
    """The REDIS_URLs of the service and of the app `shop`, whose printed users the server loads."""
    create_app("shop", "The shop", {}, utc_now())
    urls, lines = {}, []
    for who in ("service", "shop"):
        printed = command("redis-acl", *([] if who == "service" else [who]))
        assert printed.returncode == 0
        [line] = printed.stdout.splitlines()
        name = line.split()[1]
        password = printed.stderr.splitlines()[0].rpartition(" ")[2]
        assert password not in line
        lines.append(line)
        urls[who] = valkey.url.replace("unix://", f"unix://{name}:{password}@")
    valkey.users_file.write_text("\n".join(lines))
    valkey.client.execute_command("ACL", "LOAD")
    yield urls
    valkey.users_file.write_text("")
    valkey.client.execute_command("ACL", "LOAD")


@pytest.fixture
def of_service(users: dict[str, str], tables: Settings) -> Iterator[ConsumingBroker]:
    """A worker's broker whose user is the service's."""
    built = build_broker(dataclasses.replace(tables, redis_url=users["service"]))
    yield built
    built.close()


@pytest.mark.anyio
async def test_both_clients_and_the_service_do_what_they_need(
    users: dict[str, str], tables: Settings, of_service: ConsumingBroker, start_worker: StartWorker
) -> None:
    # Given a service that has its own user, and clients that have the app's
    with connect_redis(users["service"]) as client:
        check_abilities(client)
    key = derive_app_key(tables, "shop").to_text()
    with catfeeder.connect(users["shop"], key) as shop:
        async with catfeeder.connect_async(users["shop"], key) as tasks:
            # Then what waits is cancelled
            assert shop.hash_password(PASSWORD).cancel()
            assert await (await tasks.hash_password(PASSWORD)).cancel()
            # And what is asked for is performed and waited for
            start_worker(broker=of_service)
            assert shop.hash_password(PASSWORD, rounds=10).result(60)["password_hash"]
            job = await tasks.hash_password(PASSWORD, rounds=10)
            assert (await job.result(60))["password_hash"]
            assert (await job.record()).app == "shop"


def test_an_app_may_do_nothing_else(users: dict[str, str], valkey: ValkeyServer) -> None:
    with connect_redis(users["shop"]) as client:
        for typed in REFUSED:
            with pytest.raises(redis.ResponseError) as refused:
                client.execute_command(*typed.split())
            # NOPERM, or what a script says of it
            assert "redis-acl" in (describe_refusal(refused.value) or ""), (typed, refused.value)
    assert valkey.key_names() == []


def test_a_client_without_a_right_gets_a_sentence(
    users: dict[str, str], valkey: ValkeyServer, tables: Settings
) -> None:
    # Given an app's user who lost a right
    valkey.client.execute_command("ACL", "SETUSER", "catfeeder-shop", "-hset")
    key = derive_app_key(tables, "shop").to_text()
    # Then its client says what to grant
    with (
        catfeeder.connect(users["shop"], key) as shop,
        pytest.raises(QueueUnusable, match="`python -m worker keys redis-acl <app>` prints"),
    ):
        shop.hash_password(PASSWORD)


@pytest.mark.usefixtures("tables")
def test_an_unknown_app_has_no_user(command: Command) -> None:
    printed = command("redis-acl", "none")
    assert (printed.returncode, printed.stdout) == (1, "")
