"""What requests share: a thousand that wait cost next to nothing, and none fails with Redis."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from catfeeder.client import Client
from catfeeder.messages import CHECK_PASSWORD
from catfeeder.queue.waiting import cancel_and_wait
from catfeeder.sealing import Secret
from tests.conftest import ADMIN_API_KEY, StartWorker
from tests.jobs import put_job, succeed
from tests.servers import ValkeyServer
from tests.waiting import wait_until
from tests.worker.http.broken_broker import cut_off
from worker.http.shim import Shim

_MANY = 400
#: Checked in a millisecond, so that the test is one of waiting.
_CHEAP_HASH = "$2b$04$Ur3ynhELFDSknjJGtGfLm.jGnInj8JF04p2L9VuHK8E2aBM/pMlC2"


@pytest.mark.anyio
async def test_what_this_process_asked_for_is_answered_by_the_service_alone(
    shim: Shim, client: Client
) -> None:
    # Given a check that the shim has asked for, for the app that the client's queue key is of
    job = await shim.send(CHECK_PASSWORD, {"password": Secret("x"), "password_hash": None})
    listening = asyncio.create_task(shim.waiter.listen())
    # When a program with that key, revoked or not, writes the whole record anew
    put_job(client.jobs, job.id)
    succeed(client.jobs, job.id, {"valid": True})
    # Then the waiting request does not get it
    waited = await shim.wait(job, 0.1)
    await cancel_and_wait(listening)
    assert (waited.status, waited.result) == ("queued", None)


def test_hundreds_of_requests_wait_without_a_thread_or_a_connection_each(
    url: str, shim: Shim, start_worker: StartWorker, valkey: ValkeyServer
) -> None:
    # Given hundreds of requests that wait for as many jobs
    told: list[bytes] = []
    asking = threading.Thread(target=lambda: told.extend(asyncio.run(_ask_many(url))))
    asking.start()
    wait_until(lambda: len(shim.waiter) == _MANY)
    # When threads and connections are counted
    threads = threading.active_count()
    connections = len(valkey.client.client_list())
    # And then a worker performs the jobs
    start_worker()
    asking.join()
    # Then there are no more than the pool has, and everybody got their own result
    assert threads < 60
    assert connections < 60
    assert {each.split(b"\r\n", 1)[0] for each in told} == {b"HTTP/1.1 200 OK"}
    assert len({json.loads(each.partition(b"\r\n\r\n")[2])["id"] for each in told}) == _MANY
    assert len(shim.waiter) == 0


async def _ask_many(url: str) -> list[bytes]:
    """Ask by plain sockets: so many of a library's connections would take longest of all."""
    port = int(url.rpartition(":")[2])
    body = json.dumps({"password": "correct horse battery", "password_hash": _CHEAP_HASH})
    request = (
        f"POST /v1/passwords/check HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Authorization: Bearer {ADMIN_API_KEY}\r\nPrefer: wait=30\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )

    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request.encode())
        answer = await reader.read()
        writer.close()
        return answer

    return list(await asyncio.gather(*(ask() for _ in range(_MANY))))


@pytest.mark.anyio
async def test_a_broker_that_goes_away_costs_the_wait_and_not_the_job(shim: Shim) -> None:
    record = put_job(shim.client.jobs, "job-1")
    cut_off(shim.client)
    assert await shim.wait(record, 0.05) == record
