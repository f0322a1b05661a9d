"""Wrong keys: guessing gets slow, and nobody else is the worse for it."""

from __future__ import annotations

import dataclasses

import httpx
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis

from catfeeder.sealing import Secret
from tests.conftest import ADMIN_API_KEY
from tests.worker.http.answers import assert_problem
from worker.http.auth.api_keys import ApiKeyAuthenticator
from worker.http.auth.rate_limits import RateLimiter
from worker.http.auth.wrong_keys import WrongKeyThrottle
from worker.http.errors.refusals import TooManyWrongKeys
from worker.http.shim import Shim

pytestmark = pytest.mark.config(Server_configuration={"trusted_proxies": ["127.0.0.1"]})
_PATH = "/v1/providers"
_MOST = 20


def _ask(caller: httpx.Client, key: str, address: str = "192.0.2.1") -> httpx.Response:
    """Ask as a client behind a proxy on this machine, which forwards its address."""
    headers = {"Authorization": f"Bearer {key}", "X-Forwarded-For": address}
    return caller.get(_PATH, headers=headers)


@pytest.fixture
def _stopped_clock(app: FastAPI, shim: Shim) -> None:
    """Let no address's wait end while the test runs, however slow the machine is."""
    throttle = WrongKeyThrottle(shim.rate_limiter, lambda: 0.0)
    api_keys = ApiKeyAuthenticator(Secret(ADMIN_API_KEY), shim.rate_limiter, throttle)
    app.state.shim = dataclasses.replace(shim, api_keys=api_keys)


def _made_key(http: httpx.Client) -> str:
    body = {"name": "shop", "scopes": ["admin"]}
    return str(http.post("/v1/keys", json=body).json()["key"])


@pytest.mark.usefixtures("_stopped_clock")
def test_an_address_that_guesses_too_often_has_to_wait(
    anonymous: httpx.Client, http: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    own = _made_key(http)
    # Given an attacker that tries one key after the other
    answers = [_ask(anonymous, f"guess-{number}") for number in range(_MOST)]
    # When they try on, then they are told to wait, sooner or later by how long all that took
    while answers[-1].status_code == 401:
        assert_problem(answers[-1], 401, "key_unknown")
        answers.append(_ask(anonymous, "guess-n"))
    refused = answers.pop()
    assert _MOST <= len(answers) < 2 * _MOST
    assert_problem(refused, 429, "too_many_wrong_keys")
    assert 1 <= int(refused.headers["Retry-After"]) <= 3
    # And one in the form of our keys is neither let in, nor can be told from another
    assert_problem(_ask(anonymous, f"cfk_{'0' * 12}_{'A' * 43}"), 429, "too_many_wrong_keys")
    # But every right key works from there, the operator's too
    assert _ask(anonymous, own).status_code == 200
    assert _ask(anonymous, ADMIN_API_KEY).status_code == 200
    # And the operator sees it, in numbers and in the log, where no guess stands
    metrics = http.get("/metrics").text
    told = f'catfeeder_http_keys_refused_total{{reason="key_unknown"}} {len(answers)}.0'
    assert told in metrics
    assert 'catfeeder_http_keys_refused_total{reason="too_many_wrong_keys"} 2.0' in metrics
    assert "Too many wrong API keys came from 192.0.2.1." in caplog.text
    assert "guess" not in caplog.text


@pytest.mark.usefixtures("_stopped_clock")
def test_guesses_refused_unread_neither_prolong_the_wait_nor_fill_the_log(
    anonymous: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    while _ask(anonymous, "guess").status_code == 401:
        pass
    waits = [int(_ask(anonymous, "guess").headers["Retry-After"]) for _ in range(50)]
    assert max(waits) <= 3
    assert caplog.text.count("Too many wrong API keys") == 1


@pytest.mark.anyio
async def test_after_the_wait_one_may_try_again(async_redis: Redis) -> None:
    now = [0.0]
    wrong = WrongKeyThrottle(RateLimiter(async_redis), lambda: now[0])
    # Given an address that has guessed too often
    for _ in range(_MOST):
        await wrong.count("a")
    with pytest.raises(TooManyWrongKeys):
        await wrong.count("a")
    assert wrong.is_refused("a")
    assert not wrong.is_refused("b")
    # When it has waited, then its keys are looked at again
    now[0] += 3
    assert not wrong.is_refused("a")


def test_a_botnet_costs_bounded_work_and_locks_no_right_key_out(
    app: FastAPI, shim: Shim, anonymous: httpx.Client, http: httpx.Client
) -> None:
    throttle = WrongKeyThrottle(shim.rate_limiter, lambda: 0.0, max_per_minute_in_all=5)
    api_keys = ApiKeyAuthenticator(Secret(ADMIN_API_KEY), shim.rate_limiter, throttle)
    app.state.shim = dataclasses.replace(shim, api_keys=api_keys)
    own = _made_key(http)
    assert _ask(anonymous, own).status_code == 200
    # Given guesses in the form of our keys from ever new addresses, IPv6 networks among them
    guess = f"cfk_{'0' * 12}_{'A' * 43}"
    addresses = [*(f"192.0.2.{n}" for n in range(1, 4)), *(f"2001:db8:0:{n}::1" for n in range(9))]
    answers = [_ask(anonymous, guess, address).status_code for address in addresses]
    # Then few are looked up and counted, and memory is kept for none of the rest
    assert answers == [401] * 5 + [429] * 7
    assert len(throttle) == 1
    # And the operator's key and an app's go on to work, from wherever
    for key in (own, ADMIN_API_KEY):
        assert _ask(anonymous, key, addresses[-1]).status_code == 200


@pytest.mark.anyio
async def test_another_process_has_counted_too(async_redis: Redis) -> None:
    # Given two processes, of which one was sent too many wrong keys
    here, there = (WrongKeyThrottle(RateLimiter(async_redis)) for _ in range(2))
    for _ in range(_MOST):
        await here.count("a")
    # When the other is sent one, then it refuses from then on
    with pytest.raises(TooManyWrongKeys):
        await there.count("a")
    assert there.is_refused("a")


@pytest.mark.anyio
async def test_what_is_remembered_has_an_end(async_redis: Redis) -> None:
    wrong = WrongKeyThrottle(RateLimiter(async_redis), max_per_minute=1, max_addresses=3)
    for address in "abcdefgh":
        await wrong.count(address)
        with pytest.raises(TooManyWrongKeys):
            await wrong.count(address)
    assert len(wrong) <= 3


def test_what_a_proxy_passes_on_forges_no_line_of_the_log(
    anonymous: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    while _ask(anonymous, "guess", "1.2.3.4 ERROR forged").status_code == 401:
        pass
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("worker")]
    assert ours == ["Too many wrong API keys came from unknown."]
