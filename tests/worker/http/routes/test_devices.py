"""Devices over HTTP: a code is shown, its user agrees elsewhere, and the connection is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

import catfeeder
from config import Settings
from tests.conftest import derive_app_key
from tests.provider.devices import DEVICE_CODE
from tests.scripted_provider import ScriptedProvider
from tests.waiting import wait_until
from tests.worker.http.answers import assert_problem
from tests.worker.http.serving import calling

pytestmark = pytest.mark.usefixtures("worker")
_WAIT: Final = {"Prefer": "wait=20"}
_PATH: Final = "/v1/oauth/house/device"


@pytest.fixture
def shop(http: httpx.Client, url: str) -> Iterator[httpx.Client]:
    """A caller with a key of the app `shop`."""
    assert http.post("/v1/apps", json={"id": "shop"}).status_code == 201
    scopes = ["jobs", "connections:read", "tokens:read"]
    made = http.post("/v1/keys", json={"name": "shop", "scopes": scopes, "app": "shop"})
    with calling(url, headers={"Authorization": f"Bearer {made.json()['key']}"}) as caller:
        yield caller


def _configure(http: httpx.Client, television: ScriptedProvider, **settings: Any) -> None:
    known = {"issuer": television.issuer, **television.credentials(), "grant_types": [DEVICE_CODE]}
    answer = http.put("/v1/providers/house", json={**known, **settings})
    assert answer.status_code == 201, answer.text


def _status(http: httpx.Client, connection_id: str) -> str:
    return str(http.get(f"/v1/connections/{connection_id}").json()["status"])


@pytest.mark.usefixtures("schedule")
def test_a_device_shows_a_code_and_is_connected_once_its_user_agrees(
    http: httpx.Client, shop: httpx.Client, television: ScriptedProvider
) -> None:
    # Given a provider that an issuer alone sets up, and whose check finds nothing amiss
    _configure(http, television)
    check = http.get("/v1/providers/house/check").json()
    assert check["is_ok"], check
    assert "devices" in {finding["check"] for finding in check["findings"]}
    # When a device asks for a code
    job = shop.post(_PATH, json={"subject": "user-1"}, headers=_WAIT).json()
    device = job["result"]
    assert device["verification_uri_complete"].endswith(device["user_code"])
    assert device["interval_seconds"] == 1
    connection = f"/v1/connections/{device['connection_id']}"
    # Then the connection is pending, for its own app alone, and a reader knows when to come back
    assert _status(shop, device["connection_id"]) == "pending"
    waiting = shop.get(f"{connection}/token")
    assert_problem(waiting, 409, "authorization_pending")
    assert waiting.headers["Retry-After"] == "1"
    other = http.get(connection, headers={"Catfeeder-App": "default"})
    assert_problem(other, 404, "connection_unknown")
    renewal = shop.post(f"{connection}/renew", headers=_WAIT).json()
    assert renewal["error"]["code"] == "authorization_pending"
    # And when its user agrees, the token is there
    wait_until(lambda: len(television.requests_for("/token")) > 1)
    television.devices.decide(device["user_code"], "approved")
    wait_until(lambda: _status(shop, device["connection_id"]) == "active")
    token = shop.get(f"{connection}/token").json()
    assert token["headers"] == {"Authorization": f"Bearer {token['access_token']}"}
    assert shop.get(connection).json()["subject"] == "user-1"
    assert television.devices.latest.too_early == 0


@pytest.mark.usefixtures("schedule")
def test_what_ends_without_a_token_says_why(
    http: httpx.Client, television: ScriptedProvider, settings: Settings
) -> None:
    # Given a device of an app on the queue
    _configure(http, television)
    key = derive_app_key(settings, "default").to_text()
    with catfeeder.connect(settings.required_redis_url(), key) as client:
        device = client.authorize_device("house", scope="openid email").result(20)
    assert television.devices.latest.request["scope"] == "openid email"
    # When its user refuses
    television.devices.decide(device["user_code"], "denied")
    wait_until(lambda: _status(http, device["connection_id"]) != "pending")
    # Then readers of the token are told, and so is the audit trail
    path = f"/v1/connections/{device['connection_id']}"
    assert_problem(http.get(f"{path}/token"), 409, "access_denied")
    assert "refused" in http.get(path).json()["reason"]
    (event,) = http.get("/v1/events", params={"kind": "device_refused"}).json()["items"]
    assert (event["connection_id"], event["detail"]["reason"]) == (
        device["connection_id"],
        "access_denied",
    )
    # And the refused connection can be erased
    assert http.delete(path, headers=_WAIT).json()["status"] == "succeeded"


def test_what_cannot_work_is_refused_at_once(
    http: httpx.Client, television: ScriptedProvider
) -> None:
    # A grant without an endpoint
    plain = {**television.addresses(), **television.credentials(), "grant_types": [DEVICE_CODE]}
    assert_problem(http.put("/v1/providers/house", json=plain), 422, "provider_invalid")
    # A provider without the grant, or none at all
    _configure(http, television, grant_types=["authorization_code"])
    http.get("/v1/providers/house/check")
    assert_problem(http.post(_PATH, json={}), 409, "device_not_offered")
    assert_problem(http.post("/v1/oauth/none/device", json={}), 404, "provider_unknown")
    # A scope that cannot be sent, and a variable that is none
    http.patch("/v1/providers/house", json={"grant_types": [DEVICE_CODE]})
    http.get("/v1/providers/house/check")
    assert_problem(http.post(_PATH, json={"scope": "é"}), 422, "scope_invalid")
    body = {"variables": {"tenant": "a"}}
    assert_problem(http.post(_PATH, json=body), 422, "variables_invalid")


@pytest.mark.parametrize(
    ("members", "code"),
    [
        pytest.param({"verification_uri": "javascript:alert(1)"}, "provider_misbehaved", id="uri"),
        pytest.param({"user_code": "x" * 200}, "provider_misbehaved", id="long-code"),
        pytest.param({"expires_in": None}, "provider_misbehaved", id="no-end"),
        pytest.param({"error": "unauthorized_client"}, "provider_refused", id="refused"),
    ],
)
def test_an_answer_that_no_user_may_see_makes_no_connection(
    http: httpx.Client, television: ScriptedProvider, members: dict[str, Any], code: str
) -> None:
    _configure(http, television)
    issue = television.devices.issue
    television.devices.issue = lambda form, issuer: {**issue(form, issuer), **members}  # type: ignore[method-assign]

    job = http.post(_PATH, json={}, headers=_WAIT).json()

    assert job["error"]["code"] == code
    assert http.get("/v1/connections").json()["items"] == []
