"""Fairness: what one app asks for, however dear and however often, delays no other app's checks."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import requests

from tests.stack.stack import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

_PASSWORD = "correct horse battery staple"
#: The dearest hash takes some four seconds of a core. One app asks for it ten times a second.
_DEAREST = {"password": _PASSWORD, "rounds": 16}
_PAUSE_SECONDS = 0.1
_CHECKS = 15


def _key_of(stack: Stack, app: str) -> dict[str, str]:
    made = stack.call("POST", "/v1/apps", json={"id": app})
    assert made.status_code == requests.codes.created, made.text
    terms = {"name": app, "app": app, "scopes": ["jobs"], "requests_per_minute": 600}
    key = stack.call("POST", "/v1/keys", json=terms).json()["key"]
    return {"Authorization": f"Bearer {key}"}


@contextmanager
def _asking_for_the_dearest(stack: Stack, headers: dict[str, str]) -> Iterator[list[int]]:
    stopping, statuses = threading.Event(), []

    def ask() -> None:
        with requests.Session() as session:
            url = f"{stack.url}/v1/passwords/hash"
            while not stopping.wait(_PAUSE_SECONDS):
                answer = session.post(url, json=_DEAREST, headers=headers, timeout=60)
                statuses.append(answer.status_code)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield statuses
    finally:
        stopping.set()
        thread.join()


def _check_seconds(stack: Stack, headers: dict[str, str], password_hash: str) -> list[float]:
    body = {"password": _PASSWORD, "password_hash": password_hash}
    url, wait = f"{stack.url}/v1/passwords/check", {"Prefer": "wait=30"}
    seconds = []
    with requests.Session() as session:
        for _ in range(_CHECKS):
            began = time.perf_counter()
            answer = session.post(url, json=body, headers=headers | wait, timeout=60)
            seconds.append(time.perf_counter() - began)
            assert answer.json()["result"]["valid"], answer.text
    return seconds


def _p99(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100, method="inclusive")[-1]


def test_one_apps_dearest_hashes_delay_no_others_checks(make_stack: Callable[..., Stack]) -> None:
    # Given two apps on a service as it comes
    stack = make_stack()
    stack.configure("Server_configuration", "drain_seconds", "0")
    stack.start()
    shop, flood = _key_of(stack, "shop"), _key_of(stack, "flood")
    known = stack.result("/v1/passwords/hash", {"password": _PASSWORD})["password_hash"]
    idle = _check_seconds(stack, shop, known)
    # When one of them asks for the dearest hashes as fast as its rate allows
    with _asking_for_the_dearest(stack, flood) as statuses:
        wait_until(lambda: 429 in statuses)
        busy = _check_seconds(stack, shop, known)
        # And the flood was taken as far as it can be done in time, and then refused
        wait_until(lambda: statuses.count(202) < statuses.count(429))
    # Then no check of the other waits for more than a hash in progress, and most for none: they
    # share a core with it
    one_hash = 2 ** (16 - 10) * statistics.median(idle)
    assert _p99(busy) < 2 * _p99(idle) + one_hash
    assert statistics.median(busy) < one_hash / 8
    assert set(statuses) == {202, 429}
    # The hashes in progress, of seconds each, are of no use any more
    stack.directory.end_all()
