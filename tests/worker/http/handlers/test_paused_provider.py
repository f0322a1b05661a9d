"""A provider whose renewals are paused, as apps and operators meet it over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from actors.renewal.late import hasten_probe
from catfeeder.clock import utc_now
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.provider_health import TAB_PROVIDER_HEALTH
from tests.oidc_provider import OidcProvider
from tests.worker.http.answers import assert_problem
from tests.worker.http.signing_in import HOUSE, sign_in

_MINUTE = timedelta(minutes=1)


@pytest.fixture
def connection(http: httpx.Client, house: OidcProvider) -> str:
    """A user's connection whose token is due, and serves a while longer."""
    connection_id: str = sign_in(http, house, "user-1")["id"]
    change(connection_id, renew_at=utc_now() - _MINUTE, expires_at=utc_now() + _MINUTE)
    return connection_id


@pytest.fixture
def _pause(connection: str) -> Iterator[None]:
    with hold_connection():
        TAB_PROVIDER_HEALTH.ensure(HOUSE)
        until = utc_now() + 5 * _MINUTE
        TAB_PROVIDER_HEALTH.find(HOUSE).pause(
            connection, until=until, kind="client_misconfigured", reason="No.", now=utc_now()
        )
    yield
    with hold_connection():
        TAB_PROVIDER_HEALTH.erase(HOUSE)


def change(connection_id: str, **columns: Any) -> None:
    with hold_connection():
        TAB_CONNECTIONS.update(columns).where(TAB_CONNECTIONS.id == connection_id).execute()


@pytest.mark.usefixtures("_pause")
def test_a_token_that_still_serves_is_given_and_no_job_made(
    http: httpx.Client, connection: str
) -> None:
    answer = http.get(f"/v1/connections/{connection}/token")

    assert answer.status_code == 200
    assert answer.json()["renewal_failing"] is True
    assert 'enqueued_total{actor="renew_connection"' not in http.get("/metrics").text


@pytest.mark.usefixtures("_pause")
def test_a_request_that_needs_the_provider_says_when_to_come_back(
    http: httpx.Client, connection: str
) -> None:
    change(connection, expires_at=utc_now() - _MINUTE)

    for answer in (
        http.get(f"/v1/connections/{connection}/token"),
        http.post(f"/v1/connections/{connection}/renew"),
    ):
        assert_problem(answer, 503, "provider_paused")
        assert 200 <= int(answer.headers["Retry-After"]) <= 300
        assert "No." in answer.json()["detail"]
    assert 'enqueued_total{actor="renew_connection"' not in http.get("/metrics").text


@pytest.mark.usefixtures("_pause")
def test_an_operator_sees_the_pause_everywhere_and_ends_it(
    http: httpx.Client, connection: str
) -> None:
    shown = http.get(f"/v1/providers/{HOUSE}").json()["renewals"]
    assert (shown["state"], shown["kind"]) == ("open", "client_misconfigured")
    assert f'catfeeder_provider_paused{{provider="{HOUSE}"}} 1.0' in http.get("/metrics").text
    checked = http.get(f"/v1/providers/{HOUSE}/check").json()["findings"]
    assert [finding["is_ok"] for finding in checked if finding["check"] == "pause"] == [False]
    planned = http.get("/v1/renewals").json()["items"]
    assert "are paused until" in planned[0]["hindrance"]

    # When anything of the provider is changed
    assert http.patch(f"/v1/providers/{HOUSE}", json={"uses_nonce": True}).status_code == 200

    # Then it is over
    assert http.get(f"/v1/providers/{HOUSE}").json()["renewals"]["state"] == "closed"
    assert f'catfeeder_provider_paused{{provider="{HOUSE}"}} 0.0' in http.get("/metrics").text
    checked = http.get(f"/v1/providers/{HOUSE}/check").json()["findings"]
    assert [finding["is_ok"] for finding in checked if finding["check"] == "pause"] == [True]
    assert http.get(f"/v1/connections/{connection}/token").json()["renewal_failing"] is False
    kinds = [event["kind"] for event in http.get("/v1/events").json()["items"]]
    assert "provider_resumed" in kinds


def test_a_pause_by_hand_lasts_until_it_is_resumed_by_hand(
    http: httpx.Client, connection: str
) -> None:
    # When the operator pauses a provider, twice
    asked = {"reason": "Their maintenance, until Monday."}
    for _ in range(2):
        paused = http.post(f"/v1/providers/{HOUSE}/pause", json=asked).json()["renewals"]
        assert (paused["state"], paused["kind"]) == ("open", "paused_by_operator")
        assert (paused["paused_until"], paused["reason"]) == (None, asked["reason"])
    # Then nothing is renewed, and the caller learns why
    refused = http.post(f"/v1/connections/{connection}/renew")
    assert_problem(refused, 503, "provider_paused")
    assert refused.headers["Retry-After"] == "300"
    assert refused.json()["detail"].endswith(asked["reason"])
    # And it goes on through a change of the settings, and whatever a late answer says
    assert http.patch(f"/v1/providers/{HOUSE}", json={"uses_nonce": True}).status_code == 200
    hasten_probe(HOUSE, utc_now())
    assert http.get(f"/v1/providers/{HOUSE}").json()["renewals"]["state"] == "open"
    checked = http.get(f"/v1/providers/{HOUSE}/check").json()["findings"]
    [pause] = [finding for finding in checked if finding["check"] == "pause"]
    assert pause["remedy"] == f"`python -m worker providers resume {HOUSE}` lets them go on."
    # When it is resumed, twice
    for _ in range(2):
        resumed = http.post(f"/v1/providers/{HOUSE}/resume").json()["renewals"]
        assert (resumed["state"], resumed["reason"]) == ("closed", None)
    # Then tokens are renewed at once, and the trail says once who did each
    assert http.get(f"/v1/connections/{connection}/token").json()["renewal_failing"] is False
    events = http.get("/v1/events").json()["items"]
    told = [event for event in events if event["kind"].startswith("provider_")]
    kinds = ("provider_resumed", "provider_changed", "provider_paused", "provider_changed")
    assert [(event["kind"], event["key_id"]) for event in told] == [(one, "admin") for one in kinds]
    assert told[2]["detail"]["failure"] == "paused_by_operator"


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_a_provider_that_is_unknown_is_neither_paused_nor_resumed(
    http: httpx.Client, verb: str
) -> None:
    assert_problem(http.post(f"/v1/providers/cats/{verb}"), 404, "provider_unknown")
    long = http.post(f"/v1/providers/{HOUSE}/pause", json={"reason": "x" * 201})
    assert_problem(long, 422, "invalid_request")
