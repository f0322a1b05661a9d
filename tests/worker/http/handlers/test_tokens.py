"""Tokens on read: fresh ones at once, stale ones renewed first, and the old one while it serves."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import dramatiq
import httpx
import pytest

from catfeeder.clock import utc_now
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from models.renewal.journal import TAB_ATTEMPTS
from tests.oidc_provider import OidcProvider
from tests.worker.http.answers import assert_problem
from tests.worker.http.conftest import SetLimits
from tests.worker.http.signing_in import sign_in
from worker.http.shim import Shim
from worker.process.perform import stop_worker

_MINUTE = timedelta(minutes=1)


class Connected:
    """A connected user whose token the test makes old."""

    def __init__(self, http: httpx.Client, provider: OidcProvider) -> None:
        self._http = http
        self.user = f"user-{time.monotonic_ns()}"
        self.id = sign_in(http, provider, self.user)["id"]
        self.first = self.token().json()["access_token"]

    def token(self) -> httpx.Response:
        """Ask for the token."""
        return self._http.get(f"/v1/connections/{self.id}/token")

    def change(self, **values: Any) -> None:
        """Change the row."""
        with hold_connection():
            TAB_CONNECTIONS.update(**values).where(TAB_CONNECTIONS.id == self.id).execute()

    def is_being_renewed(self) -> None:
        """Let another process be at it."""
        with hold_connection():
            row = TAB_CONNECTIONS.get_by_id(self.id)
            TAB_ATTEMPTS.record(self.id, row.version, "of its token", utc_now())
        self.change(lease_until=utc_now() + _MINUTE)

    def fall_due(self) -> None:
        """Make the token due for renewal, though it serves a while longer."""
        self.change(renew_at=utc_now() - _MINUTE, expires_at=utc_now() + _MINUTE)

    def expire(self) -> None:
        """Make the token one that serves no more."""
        self.change(renew_at=utc_now() - 2 * _MINUTE, expires_at=utc_now() - _MINUTE)


@pytest.fixture
def user(http: httpx.Client, house: OidcProvider) -> Connected:
    """A connected user."""
    return Connected(http, house)


@pytest.fixture
def _short_wait(set_limits: SetLimits) -> None:
    """Wait for no renewal for long."""
    set_limits(renewal_seconds=0.3)


def test_a_fresh_token_costs_no_job(http: httpx.Client, user: Connected) -> None:
    assert user.token().json()["access_token"] == user.first
    enqueued = 'catfeeder_jobs_enqueued_total{actor="renew_connection"}'
    assert enqueued not in http.get("/metrics").text


@pytest.mark.parametrize("age", ["fall_due", "expire"])
def test_a_stale_token_is_renewed_first(user: Connected, age: str) -> None:
    getattr(user, age)()
    renewed = user.token()
    assert renewed.status_code == 200
    assert renewed.json()["access_token"] != user.first


def test_the_old_token_serves_while_renewal_fails(user: Connected, house: OidcProvider) -> None:
    # Given a token that is due, and a provider that refuses to renew it
    user.fall_due()
    house.revoke_tokens_of(user.user)
    # When it is read, then it is what it was
    assert user.token().json()["access_token"] == user.first


def test_an_expired_token_that_cannot_be_renewed_needs_the_user(
    user: Connected, house: OidcProvider
) -> None:
    user.expire()
    house.revoke_tokens_of(user.user)
    for _ in range(2):
        assert_problem(user.token(), 409, "reauthorization_required")


@pytest.mark.usefixtures("_short_wait")
def test_a_renewal_that_no_worker_performs_times_out(
    user: Connected, worker: dramatiq.Worker
) -> None:
    # Given no worker any more
    stop_worker(worker, grace_seconds=0)
    # When a token is read that still serves, then it is given
    user.fall_due()
    assert user.token().json()["access_token"] == user.first
    # And else the caller is told that it takes too long
    user.expire()
    assert_problem(user.token(), 504, "job_timeout")


def test_a_stopping_service_gives_what_it_has(user: Connected, shim: Shim) -> None:
    shim.draining.has_begun = True
    user.fall_due()
    assert user.token().json()["access_token"] == user.first
    user.expire()
    assert_problem(user.token(), 503, "server_stopping")


def test_a_read_waits_for_a_concurrent_renewal(user: Connected) -> None:
    # Given an expired token that another process is renewing
    user.expire()
    user.is_being_renewed()
    later = utc_now() + 10 * _MINUTE
    brought = {"renew_at": later, "expires_at": later, "version": 2, "lease_until": None}
    ending = threading.Timer(0.5, user.change, kwargs=brought)
    begun = time.monotonic()
    ending.start()
    # When it is read, then the answer comes with theirs
    assert user.token().status_code == 200
    assert time.monotonic() - begun >= 0.5
    ending.join()


def test_a_read_fails_with_the_concurrent_renewal(user: Connected) -> None:
    # Given an expired token that another process is renewing, without luck
    user.expire()
    user.is_being_renewed()
    put_off = {
        "status": "renewal_failing",
        "renew_at": utc_now() + 10 * _MINUTE,
        "lease_until": None,
    }
    ending = threading.Timer(0.5, user.change, kwargs=put_off)
    ending.start()
    # When it is read, then the answer comes with their failure, and says when to come back
    answer = user.token()
    assert_problem(answer, 503, "renewal_failing")
    assert 500 < int(answer.headers["Retry-After"]) <= 600
    ending.join()


@pytest.mark.usefixtures("_short_wait")
def test_a_read_that_waits_in_vain_says_when_to_come_back(user: Connected) -> None:
    user.expire()
    user.is_being_renewed()
    answer = user.token()
    assert_problem(answer, 503, "connection_busy")
    assert int(answer.headers["Retry-After"]) > 0
