"""Idempotency-Key: a repeat gets the first job, another request is refused, and nothing leaks."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import redis
from fastapi import FastAPI

from catfeeder.client import Client
from catfeeder.clock import utc_now
from catfeeder.messages import HASH_PASSWORD
from catfeeder.queue.broker import build_message, build_queued_job
from catfeeder.queue.jobs.store import JobError
from catfeeder.queue.lua_scripts import Call, call_scripts
from catfeeder.sealing import KeyRing, Secret
from config import Settings
from tests.jobs import fail, succeed
from tests.servers import ValkeyServer
from tests.worker.http.answers import assert_problem
from worker.http.auth.api_keys import Caller
from worker.http.errors.refusals import IdempotencyKeyReused
from worker.http.jobs.enqueuer import BatchingEnqueuer
from worker.http.jobs.idempotency import Claim, IdempotencyKeys
from worker.http.shim import Shim

_PATH = "/v1/passwords/hash"
_BODY = {"password": "correct horse battery"}
_KEY = {"Idempotency-Key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}


def test_a_repeat_gets_the_first_job(http: httpx.Client, shim: Shim) -> None:
    # Given a request with a key
    first = http.post(_PATH, json=_BODY, headers=_KEY)
    # When it is repeated, in other spacing and with another wait
    repeat = http.post(
        _PATH,
        content=b'{ "password" :"correct horse battery" }',
        headers={**_KEY, "Content-Type": "application/json", "Prefer": "wait=0"},
    )
    # Then the job is the same, and only one message waits
    assert (first.status_code, repeat.status_code) == (202, 202)
    assert repeat.json()["id"] == first.json()["id"]
    assert repeat.headers["Location"] == first.headers["Location"]
    assert shim.client.broker.depth("passwords") == 1


def test_a_repeat_of_a_job_that_has_ended_shows_its_end(http: httpx.Client, shim: Shim) -> None:
    job = http.post(_PATH, json=_BODY, headers=_KEY).json()
    succeed(shim.client.jobs, job["id"], "done")
    # A caller who does not wait gets 202, and who does the finished job
    repeat = http.post(_PATH, json=_BODY, headers=_KEY)
    waited = http.post(_PATH, json=_BODY, headers={**_KEY, "Prefer": "wait=5"})
    assert (repeat.status_code, waited.status_code) == (202, 200)
    assert repeat.json()["result"] == waited.json()["result"] == "done"


@pytest.mark.parametrize(("permanent", "is_anew"), [(False, True), (True, False)])
def test_a_repeat_of_a_job_that_failed_for_a_while_begins_anew(
    http: httpx.Client, shim: Shim, *, permanent: bool, is_anew: bool
) -> None:
    # Given a job that failed
    job = http.post(_PATH, json=_BODY, headers=_KEY).json()
    error = JobError("provider_unreachable", "It did not answer.", permanent)
    fail(shim.client.jobs, job["id"], error, utc_now())
    # When the request is repeated, twice
    repeats = [http.post(_PATH, json=_BODY, headers=_KEY).json() for _ in range(2)]
    # Then a failure that passes begins one new job, and any other is the answer
    assert {repeat["id"] == job["id"] for repeat in repeats} == {not is_anew}
    assert len({repeat["id"] for repeat in repeats}) == 1
    assert shim.client.broker.depth("passwords") == (2 if is_anew else 1)
    # And another request with the key is refused as ever
    other = http.post(_PATH, json={"password": "another horse battery"}, headers=_KEY)
    assert_problem(other, 422, "idempotency_key_reused")


def test_repeats_at_once_of_a_job_that_failed_become_one_job(
    http: httpx.Client, shim: Shim
) -> None:
    job = http.post(_PATH, json=_BODY, headers=_KEY).json()
    error = JobError("provider_unreachable", "It did not answer.", permanent=False)
    fail(shim.client.jobs, job["id"], error, utc_now())
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: http.post(_PATH, json=_BODY, headers=_KEY), range(10)))
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert shim.client.broker.depth("passwords") == 2


def test_without_a_key_each_request_is_a_job(http: httpx.Client, shim: Shim) -> None:
    assert len({http.post(_PATH, json=_BODY).json()["id"] for _ in range(2)}) == 2
    assert shim.client.broker.depth("passwords") == 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (_PATH, {"password": "another horse battery"}),
        (_PATH, {**_BODY, "rounds": 5}),
        ("/v1/passwords/check", {**_BODY, "password_hash": "$2b$04$" + "a" * 53}),
    ],
)
def test_another_request_with_the_key_is_refused(
    http: httpx.Client, path: str, body: dict[str, object]
) -> None:
    http.post(_PATH, json=_BODY, headers=_KEY)
    assert_problem(http.post(path, json=body, headers=_KEY), 422, "idempotency_key_reused")


def test_a_repeat_passes_where_new_work_does_not(http: httpx.Client, shim: Shim) -> None:
    # Given a job that was taken in before the service began to stop
    first = http.post(_PATH, json=_BODY, headers=_KEY)
    shim.draining.has_begun = True
    # When it is repeated, then it is no new work
    repeat = http.post(_PATH, json=_BODY, headers=_KEY)
    assert (repeat.status_code, repeat.json()["id"]) == (202, first.json()["id"])


def test_a_request_that_was_refused_may_be_repeated(http: httpx.Client, shim: Shim) -> None:
    # Given a request with a key that came while no work was taken
    shim.draining.has_begun = True
    assert_problem(http.post(_PATH, json=_BODY, headers=_KEY), 503, "server_stopping")
    # When it is sent again later, then it is taken in
    shim.draining.has_begun = False
    assert http.post(_PATH, json=_BODY, headers=_KEY).status_code == 202


def test_requests_at_once_become_one_job(http: httpx.Client, shim: Shim) -> None:
    ids: list[str] = []

    def ask() -> None:
        ids.append(http.post(_PATH, json=_BODY, headers=_KEY).json()["id"])

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 10
    assert len(set(ids)) == 1
    assert shim.client.broker.depth("passwords") == 1


@pytest.mark.parametrize("key", ["", "a" * 256])
def test_an_invalid_idempotency_key_is_refused(http: httpx.Client, key: str) -> None:
    answer = http.post(_PATH, json=_BODY, headers={"Idempotency-Key": key})
    members = assert_problem(answer, 422, "invalid_request")
    assert members["errors"][0]["parameter"] == "Idempotency-Key"


@pytest.fixture
def keys(settings: Settings, valkey: ValkeyServer) -> IdempotencyKeys:
    """What the shim remembers keys by."""
    return IdempotencyKeys(valkey.client, KeyRing(settings.secret_keys()), poll_seconds=0.01)


_OTHER_SECRET_KEY = "another-secret-key-of-some-length"
_ARGUMENTS = {"password": Secret("correct horse battery"), "rounds": None}


def _caller(name: str) -> Caller:
    return Caller(name, frozenset())


def _send(client: Client, claim: Claim) -> str:
    """Put the job of a claim on the queue, and return its id."""
    message = build_message(HASH_PASSWORD, _ARGUMENTS, claim.job_id)
    client.broker.enqueue(message, job=build_queued_job(message, utc_now()))
    return claim.job_id


def test_each_caller_has_its_own_keys(keys: IdempotencyKeys, client: Client) -> None:
    # Given a key that one caller has used
    mine = keys.claim(_caller("a"), "key", HASH_PASSWORD.name, _ARGUMENTS)
    _send(client, mine)
    # When another uses the same, then it is new, and the first is still theirs
    other = keys.claim(_caller("b"), "key", HASH_PASSWORD.name, _ARGUMENTS)
    again = keys.claim(_caller("a"), "key", HASH_PASSWORD.name, _ARGUMENTS)
    assert (mine.is_first, other.is_first, again.is_first) == (True, True, False)
    assert other.job_id != mine.job_id == again.job_id


def test_a_repeat_sends_what_a_dead_process_did_not_once(
    keys: IdempotencyKeys, client: Client
) -> None:
    # Given a process that died between the claim and the job, or so it seems
    first = keys.claim(_caller("a"), "key", HASH_PASSWORD.name, _ARGUMENTS)
    # When the request is repeated, then that is to send the very same job
    repeat = keys.claim(_caller("a"), "key", HASH_PASSWORD.name, _ARGUMENTS)
    assert (repeat.is_first, repeat.job_id) == (True, first.job_id)
    # And where the first sends it after all, it is there once, as it has become meanwhile
    _send(client, repeat)
    assert client.job(first.job_id).cancel()
    _send(client, first)
    assert client.broker.depth("passwords") == 1
    assert client.job(first.job_id).record().status == "cancelled"


@pytest.mark.parametrize("is_taken", [True, False])
def test_a_request_whose_answer_was_lost_becomes_one_job(
    http: httpx.Client, app: FastAPI, shim: Shim, is_taken: bool
) -> None:
    # Given a Redis that takes a job or not, and whose answer does not come
    async def call_and_lose(calls: Sequence[Call]) -> list[Any]:
        if is_taken:
            call_scripts(shim.client.redis, calls)
        raise redis.TimeoutError

    losing = BatchingEnqueuer(
        shim.client.redis,
        shim.client.broker.encoder,
        lambda _message_type, _app, _arguments, *, may_ask: 1,  # noqa: ARG005
        call_and_lose,
    )
    app.state.shim = dataclasses.replace(shim, enqueuer=losing)
    assert_problem(http.post(_PATH, json=_BODY, headers=_KEY), 503, "queue_unreachable")
    losing.close()
    # When the request is repeated, then it gets that job, or sends it
    app.state.shim = shim
    assert http.post(_PATH, json=_BODY, headers=_KEY).status_code == 202
    assert shim.client.broker.depth("passwords") == 1


def test_a_key_is_remembered_for_an_hour(keys: IdempotencyKeys, valkey: ValkeyServer) -> None:
    keys.claim(_caller("a"), "key", HASH_PASSWORD.name, _ARGUMENTS)
    [name] = valkey.client.keys()
    assert valkey.client.ttl(name) >= 3590


def test_the_stored_key_reveals_nothing(keys: IdempotencyKeys, valkey: ValkeyServer) -> None:
    # Given a key that was used with a password
    keys.claim(_caller("admin"), "my-key", HASH_PASSWORD.name, _ARGUMENTS)
    # When Redis is read
    [name] = valkey.client.keys()
    stored = f"{name!r} {valkey.client.get(name)!r}"
    # Then there is neither key nor password, nor a digest that passwords could be tried against
    assert "my-key" not in stored
    assert "correct horse" not in stored
    request = b'["hash_password",{"password":{"$secret":"correct horse battery"},"rounds":null}]'
    assert hashlib.sha256(request).hexdigest() not in stored
    # And another SECRET_KEY, such as the queue key's holders have, yields another fingerprint
    other = IdempotencyKeys(valkey.client, KeyRing([_OTHER_SECRET_KEY]))
    assert other.claim(_caller("admin"), "my-key", "x", {}).is_first


def test_a_repeat_is_known_after_a_change_of_secret_key(
    keys: IdempotencyKeys, settings: Settings, client: Client
) -> None:
    # Given a request that came while SECRET_KEY was another one
    job_id = _send(client, keys.claim(_caller("a"), "key", HASH_PASSWORD.name, _ARGUMENTS))
    ring = KeyRing([_OTHER_SECRET_KEY, *settings.secret_keys()])
    changed = IdempotencyKeys(client.redis, ring)
    # When it is repeated, then its job is found
    repeat = changed.claim(_caller("a"), "key", HASH_PASSWORD.name, _ARGUMENTS)
    assert (repeat.job_id, repeat.is_first) == (job_id, False)
    # And another request with that key is refused as ever
    with pytest.raises(IdempotencyKeyReused):
        changed.claim(_caller("a"), "key", "another", _ARGUMENTS)
    # And a new key is remembered under the current SECRET_KEY
    new_id = _send(client, changed.claim(_caller("a"), "new", HASH_PASSWORD.name, _ARGUMENTS))
    alone = IdempotencyKeys(client.redis, KeyRing([_OTHER_SECRET_KEY]))
    assert alone.claim(_caller("a"), "new", HASH_PASSWORD.name, _ARGUMENTS).job_id == new_id


SPOILT: dict[str, Callable[[redis.Redis, str, str, str], object]] = {
    "another job": lambda client, name, claim, job_id: client.set(
        name, ":".join([claim.split(":")[0], job_id, claim.split(":")[2]])
    ),
    "moved": lambda client, name, _, other: client.set(name, client.get(other) or ""),
    "of an earlier release": lambda client, name, claim, _: client.set(
        name, ":".join(claim.split(":")[:2])
    ),
    "rubbish": lambda client, name, *_: client.set(name, b"\xff:\xff"),
    "of another type": lambda client, name, *_: (client.delete(name), client.rpush(name, "x")),
}


def claim_names(valkey: ValkeyServer) -> list[str]:
    return [name for name in valkey.key_names() if ":idempotency:" in name]


@pytest.mark.parametrize("kind", SPOILT)
def test_a_claim_that_a_redis_writer_has_written_leads_to_no_job(
    http: httpx.Client, valkey: ValkeyServer, kind: str
) -> None:
    # Given two requests of the same content with keys of their own
    first = http.post(_PATH, json=_BODY, headers=_KEY).json()["id"]
    [name] = claims = claim_names(valkey)
    other = http.post(_PATH, json=_BODY, headers={"Idempotency-Key": "other"}).json()["id"]
    [others] = set(claim_names(valkey)) - set(claims)
    claim = os.fsencode(valkey.client.get(name) or b"").decode()
    assert first in claim
    # When what is stored of the first is made to lead to the job of the other
    target = others if kind == "moved" else other
    SPOILT[kind](valkey.client, name, claim, target)
    # Then a repeat gets a sentence, and no job; another key is served as ever
    repeat = http.post(_PATH, json=_BODY, headers=_KEY)
    assert_problem(repeat, 409, "idempotency_key_spoilt")
    assert other not in repeat.text
    again = http.post(_PATH, json=_BODY, headers={"Idempotency-Key": "other"})
    assert again.json()["id"] == other
