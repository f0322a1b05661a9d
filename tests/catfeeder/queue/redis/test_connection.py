"""Connections to a Redis in each of its forms: TLS, sentinels that fail over, and bad URLs."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import pytest
import redis

import catfeeder
from catfeeder.aio import AsyncClient
from catfeeder.client import Client
from catfeeder.errors import JobTimeout, QueueUnreachable, QueueUnusable
from catfeeder.queue.redis.connection import (
    connect_redis,
    connect_redis_async,
    translate_redis_errors,
)
from catfeeder.queue.redis.idle_connections import borrow_connection
from catfeeder.queue.redis.url import read_redis_url
from tests.conftest import StartWorker
from tests.redis_servers import Watched, running_sentinel, running_tls_valkey
from tests.servers import ValkeyServer
from tests.waiting import wait_until

CANARY = "canary-hunter2"
CONNECTORS: list[Callable[[str], object]] = [connect_redis, connect_redis_async]


def ping_async(url: str) -> bool:
    async def ping() -> bool:
        client = connect_redis_async(url)
        try:
            with translate_redis_errors():
                return bool(await client.ping())
        finally:
            await client.aclose()

    return asyncio.run(ping())


def ping(url: str) -> bool:
    with connect_redis(url) as client, translate_redis_errors():
        return bool(client.ping())


@pytest.mark.parametrize("connect", CONNECTORS)
@pytest.mark.parametrize(
    "url",
    [
        f"ftp://:{CANARY}@host",
        f"redis://:{CANARY}/x@host",
        f"redis://:{CANARY}?x@host",
        f"redis://:x?{CANARY}=1@host",
        f"redis://:{CANARY}@host/database",
        f"redis://:{CANARY}@host,other",
        f"redis://:{CANARY}@host:99999",
        f"redis+sentinel://:{CANARY}@host",
        f"redis+sentinel://:{CANARY}@host:0/service",
        f"redis+sentinel://:{CANARY}@host:123456/service",
        f"redis+sentinel://:{CANARY}@host,,other/service",
        f"redis+sentinel://:{CANARY}@host/service/database",
        "unix://",
        *("", "127.0.0.1:6379", "http://127.0.0.1", "redis://127.0.0.1:x"),
    ],
)
def test_a_bad_url_is_not_quoted(url: str, connect: Callable[[str], object]) -> None:
    with pytest.raises(QueueUnreachable, match="not a URL of a Redis server: use redis") as refused:
        connect(url)
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize("connect", CONNECTORS)
@pytest.mark.parametrize("server", ["redis://host/0", "redis+sentinel://host/service"])
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("socket_timeout", "soon"),
        ("socket_timeout", "0"),
        ("socket_timeout", "-1"),
        ("decode_responses", "true"),
        ("no_such_thing", "1"),
        # TLS is not what this scheme asks for.
        ("ssl_ca_certs", quote(__file__)),
    ],
)
def test_an_option_that_is_unknown_or_wrong_is_named(
    connect: Callable[[str], object], server: str, option: str, value: str
) -> None:
    with pytest.raises(QueueUnreachable, match=f"its option {option} is unknown or wrong"):
        connect(f"{server}?{option}={value}")


@pytest.mark.parametrize("seconds", ["1", "0.6"])
def test_a_short_timeout_of_the_socket_ends_no_wait(
    valkey: ValkeyServer, client: Client, start_worker: StartWorker, seconds: str
) -> None:
    # Given clients whose URL gives each command little time
    url = f"{valkey.url}?socket_timeout={seconds}"
    sealer = client.broker.encoder.sealer
    hasty = Client(connect_redis(url), sealer)
    # When one waits for a job that no worker does, then it is told that alone
    job = hasty.hash_password("hunter2", rounds=4)
    with pytest.raises(JobTimeout):
        job.result(timeout=1.5)

    # And the result reaches those that wait, also by asyncio
    starting = threading.Timer(1.5, start_worker)

    async def wait() -> object:
        async with AsyncClient(connect_redis_async(url), sealer) as waiting:
            waiter = waiting.job(job.id)
            starting.start()
            return await waiter.result(timeout=60)

    assert asyncio.run(wait()) == job.result(timeout=60)
    starting.join()
    hasty.close()


@pytest.mark.parametrize("scheme", ["rediss", "rediss+sentinel"])
def test_a_file_that_is_not_there_is_named(scheme: str) -> None:
    with pytest.raises(QueueUnreachable, match="ssl_ca_certs names a file that is not there"):
        connect_redis(f"{scheme}://host/0?ssl_ca_certs=/nowhere")


def test_a_url_of_sentinels_says_all_that_is_needed() -> None:
    # Given a URL with everything in it
    address = read_redis_url(
        f"rediss+sentinel://me:p%40ss@one:1,[::1]:2,three/service/4?ssl_ca_certs={quote(__file__)}"
        "&socket_timeout=5&sentinel_username=watch&sentinel_password=man"
    )
    # Then each part is where it belongs
    assert address is not None
    assert address.hosts == (("one", 1), ("::1", 2), ("three", 26379))
    assert address.service == "service"
    tls = {"ssl": True, "ssl_ca_certs": __file__}
    master = {"username": "me", "password": "p@ss", "db": 4, "socket_timeout": 5.0}
    assert address.options == {**master, **tls}
    assert address.sentinel_options == {"username": "watch", "password": "man", **tls}


def test_one_server_has_no_sentinels() -> None:
    assert read_redis_url("redis://me:secret@host:1/2") is None


@pytest.fixture
def tls_valkey(valkey: ValkeyServer, tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A Valkey behind TLS, with a certificate for localhost."""
    with running_tls_valkey(valkey, tmp_path) as started:
        yield started


@pytest.mark.parametrize("ping", [ping, ping_async])
def test_a_certificate_must_be_trusted(
    tls_valkey: tuple[int, Path], ping: Callable[[str], bool]
) -> None:
    port, certificate = tls_valkey
    trust = f"ssl_ca_certs={quote(str(certificate))}"
    # Given the authority that has signed the server's certificate, the server is used
    assert ping(f"rediss://localhost:{port}/0?{trust}")
    # When the authority is unknown, the name is another or TLS is left out, it is not
    for url in (
        f"rediss://localhost:{port}/0",
        f"rediss://127.0.0.1:{port}/0?{trust}",
        f"redis://localhost:{port}/0?socket_timeout=1",
    ):
        with pytest.raises(QueueUnreachable):
            ping(url)


@pytest.fixture
def watched() -> Iterator[Watched]:
    """Two servers and their sentinel."""
    with running_sentinel() as started:
        yield started


@pytest.fixture
def environment(environment: dict[str, str], request: pytest.FixtureRequest) -> dict[str, str]:
    """With the sentinels in REDIS_URL where a test asks for them."""
    if "watched" in request.fixturenames:
        environment["REDIS_URL"] = request.getfixturevalue("watched").url
    return environment


def test_a_service_that_the_sentinels_do_not_know_is_unreachable(watched: Watched) -> None:
    for each in (ping, ping_async):
        assert each(watched.url)
        with pytest.raises(QueueUnreachable):
            each(watched.url.replace("/catfeeder-test/", "/another/"))


def test_client_and_worker_follow_the_master(
    watched: Watched, queue_key: str, start_worker: StartWorker
) -> None:
    # Given a client and a worker that know the sentinels alone
    client = catfeeder.connect(watched.url, queue_key)
    start_worker(threads=1, poll_seconds=0.5)
    first = client.hash_password("hunter2", rounds=4)
    assert first.result()
    wait_until(lambda: follows(watched, client))
    # When the master dies, and another server takes its place
    watched.kill_master()
    # Then jobs are taken and done again, and those of before are known
    wait_until(lambda: is_served(client))
    assert first.record().status == "succeeded"
    # And an asyncio client finds the new master too, unless that has just been slow to answer
    wait_until(lambda: is_found_async(watched.url))
    client.close()


def test_each_idle_connection_follows_the_master(watched: Watched) -> None:
    # Given a client with three connections
    client = connect_redis(watched.url)
    assert ping_at_once(client, 3) == [b"PONG"] * 3
    # When the master dies, and another server takes its place
    watched.kill_master()
    # Then each of them leads there at its next use
    assert ping_at_once(client, 3) == [b"PONG"] * 3
    client.close()


def ping_at_once(client: redis.Redis, count: int) -> list[object]:
    """Return what the server answers on several connections."""
    with ExitStack() as stack:
        pool = client.connection_pool
        connections = [stack.enter_context(borrow_connection(pool)) for _ in range(count)]
        for connection in connections:
            connection.send_command("PING")
        return [connection.read_response() for connection in connections]


def is_found_async(url: str) -> bool:
    """Return whether an asyncio client finds the master now."""
    try:
        return ping_async(url)
    except QueueUnreachable:
        return False


def follows(watched: Watched, client: Client) -> bool:
    """Return whether the replica has all that the master has taken."""
    return int(client.redis.wait(1, 1000)) == 1 and watched.knows_replica()


def is_served(client: Client) -> bool:
    """Return whether a job is done now."""
    try:
        return bool(client.hash_password("hunter2", rounds=4).result(timeout=1))
    except (QueueUnreachable, catfeeder.JobTimeout):
        return False


def test_a_connection_is_kept_alive_and_a_unix_socket_needs_no_such_option(tmp_path: Path) -> None:
    # Given a connection over TCP, which a firewall between the two may forget
    options = connect_redis("redis://127.0.0.1/0").connection_pool.connection_kwargs

    # Then the system probes it, and a unix socket is connected as it was
    assert options["socket_keepalive"]
    assert options["socket_keepalive_options"][socket.TCP_KEEPIDLE] == 60
    assert connect_redis(f"unix://{tmp_path}/valkey.sock")


def test_a_database_that_is_not_there_is_named(valkey: ValkeyServer) -> None:
    url = f"{valkey.url}?db=99"

    with (
        pytest.raises(QueueUnreachable, match="has no database of that number"),
        connect_redis(url) as client,
        translate_redis_errors(),
    ):
        client.ping()


def test_a_server_that_is_no_redis_is_named() -> None:
    # Given another program at the address, which answers by HTTP
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as pool:

        def answer() -> None:
            with server.accept()[0] as connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        answered = pool.submit(answer)
        url = f"redis://127.0.0.1:{server.getsockname()[1]}"
        # Then the sentence names the setting
        with (
            connect_redis(url) as client,
            pytest.raises(QueueUnusable, match="REDIS_URL does not answer as a Redis or Valkey"),
            translate_redis_errors(),
        ):
            client.ping()
        answered.result()
