"""API keys over HTTP: made, used, listed, limited, revoked."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from catfeeder.clock import utc_now
from tests.worker.http.answers import assert_problem

_SHOP = {"name": "web shop", "scopes": ["jobs"]}


def _make(http: httpx.Client, **changes: Any) -> dict[str, Any]:
    answer = http.post("/v1/keys", json={**_SHOP, **changes})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def _with(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_a_key_is_made_used_and_revoked(http: httpx.Client, anonymous: httpx.Client) -> None:
    # Given a key that the operator makes for an app
    made = _make(http)
    assert set(made) == {
        *("id", "app", "name", "scopes", "requests_per_minute"),
        *("created_at", "expires_at", "revoked_at", "last_used_at", "key"),
    }
    headers = _with(made["key"])
    assert made["last_used_at"] is None
    # Then the app may do what its scope says, and no more
    body = {"password": "correct horse battery"}
    assert anonymous.post("/v1/passwords/hash", json=body, headers=headers).status_code == 202
    refused = anonymous.get("/v1/connections", headers=headers)
    assert_problem(refused, 403, "key_lacks_scope")
    assert 'scope="connections:read"' in refused.headers["WWW-Authenticate"]
    # And the key is listed, without what would let anybody use it
    listed = http.get("/v1/keys")
    [item] = listed.json()["items"]
    used_at = item["last_used_at"]
    assert made["created_at"] <= used_at
    assert item == {**{it: made[it] for it in made if it != "key"}, "last_used_at": used_at}
    assert made["key"].split("_", 2)[2] not in listed.text
    # And when it is revoked it ends at once
    revoked = http.delete(f"/v1/keys/{made['id']}")
    assert (revoked.status_code, revoked.content) == (204, b"")
    gone = anonymous.post("/v1/passwords/hash", json=body, headers=headers)
    assert_problem(gone, 401, "key_unknown")
    assert made["key"] not in gone.text
    assert http.get("/v1/keys").json()["items"][0]["revoked_at"]
    assert_problem(http.delete(f"/v1/keys/{made['id']}"), 404, "api_key_unknown")


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("jobs", {"/v1/jobs/none": 404}),
        ("connections:read", {"/v1/connections": 200, "/v1/events": 200, "/v1/renewals": 200}),
        ("tokens:read", {"/v1/connections/none/token": 404}),
        ("metrics", {"/metrics": 200}),
        (
            "admin",
            {
                "/v1/jobs/none": 404,
                "/v1/connections": 200,
                "/v1/connections/none/token": 404,
                "/v1/providers": 200,
                "/v1/keys": 200,
                "/v1/events": 200,
                "/v1/renewals": 200,
                "/v1/queues": 200,
                "/v1/queues/oauth/dead-letters": 200,
                "/metrics": 200,
            },
        ),
    ],
)
def test_a_key_may_do_what_its_scope_says_and_no_more(
    http: httpx.Client, anonymous: httpx.Client, scope: str, allowed: dict[str, int]
) -> None:
    headers = _with(_make(http, scopes=[scope])["key"])
    paths = ["/v1/jobs/none", "/v1/connections", "/v1/connections/none/token", "/v1/providers"]
    paths += ["/v1/keys", "/v1/events", "/v1/renewals", "/v1/queues", "/metrics"]
    paths += ["/v1/queues/oauth/dead-letters"]
    answers = {path: anonymous.get(path, headers=headers) for path in paths}
    answered = {path: answer.status_code for path, answer in answers.items()}
    refusals = [answer for answer in answers.values() if answer.status_code == 403]
    assert all(needed_scope(each) in each.json()["detail"] for each in refusals)
    assert answered == {path: allowed.get(path, 403) for path in paths}


def needed_scope(answer: httpx.Response) -> str:
    """Return the scope that a refusal names to programs (RFC 6750 section 3)."""
    found = re.search('scope="([a-z:]+)"', answer.headers["WWW-Authenticate"])
    assert found
    return found[1]


def test_a_key_ends_after_its_lifetime_or_at_its_end(http: httpx.Client) -> None:
    # Given a key for an hour, and one until a time that is told in another part of the world
    lasting = _make(http, lifetime=3600)
    dated = _make(http, expires_at="2030-01-01T05:45:00+05:45")
    # Then both are told in UTC
    assert dated["expires_at"] == "2030-01-01T00:00:00.000Z"
    left = datetime.fromisoformat(lasting["expires_at"]) - utc_now()
    assert timedelta(seconds=3500) < left <= timedelta(seconds=3600)


def test_a_key_is_used_as_often_as_it_may_be(http: httpx.Client, anonymous: httpx.Client) -> None:
    # Given a key for three requests a minute, and another
    made, other = _make(http, requests_per_minute=3), _make(http)
    headers = _with(made["key"])
    # When it is used more often, whatever for
    paths = ["/v1/jobs/none", "/v1/connections", "/v1/jobs/none", "/v1/jobs/none"]
    answers = [anonymous.get(path, headers=headers) for path in paths]
    # Then the fourth request is refused until there is room again
    assert [answer.status_code for answer in answers] == [404, 403, 404, 429]
    assert_problem(answers[-1], 429, "rate_exceeded")
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 20
    # And nobody else is
    assert anonymous.get("/v1/jobs/none", headers=_with(other["key"])).status_code == 404
    metrics = http.get("/metrics").text
    assert 'catfeeder_http_keys_refused_total{reason="rate_exceeded"} 1.0' in metrics


_WRONG: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "#/name"),
    ({"name": "a" * 256}, "#/name"),
    ({"name": "nul \0"}, "#/name"),
    ({"scopes": []}, "#/scopes"),
    ({"scopes": ["jobs", "all"]}, "#/scopes/1"),
    ({"scopes": "admin"}, "#/scopes"),
    ({"lifetime": 0}, "#/lifetime"),
    ({"lifetime": 10**12}, "#/lifetime"),
    ({"requests_per_minute": 0}, "#/requests_per_minute"),
    ({"requests_per_minute": "many"}, "#/requests_per_minute"),
    ({"expires_at": "2999-01-01T00:00:00"}, "#/expires_at"),
    ({"expires_at": "tomorrow"}, "#/expires_at"),
    ({"expires_at": 1895000000}, "#/expires_at"),
    ({"expires_at": "1895000000"}, "#/expires_at"),
    ({"lifetime": 60, "expires_at": "2999-01-01T00:00:00Z"}, "#"),
    ({"key": "cfk_mine"}, "#/key"),
]


def test_a_key_that_cannot_be_is_refused_by_field(http: httpx.Client) -> None:
    for changes, pointer in _WRONG:
        answer = http.post("/v1/keys", json={**_SHOP, **changes})
        members = assert_problem(answer, 422, "invalid_request")
        assert [fault["pointer"] for fault in members["errors"]] == [pointer], changes


@pytest.mark.parametrize(
    "expires_at", ["2001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"]
)
def test_a_key_ends_in_the_future(http: httpx.Client, expires_at: str) -> None:
    answer = http.post("/v1/keys", json={**_SHOP, "expires_at": expires_at})
    members = assert_problem(answer, 422, "api_key_invalid")
    assert [fault["pointer"] for fault in members["errors"]] == ["#/expires_at"]


@pytest.mark.parametrize("place", ["?key=", "?api_key=", "?access_token="])
def test_a_key_in_a_url_is_none(http: httpx.Client, anonymous: httpx.Client, place: str) -> None:
    key = _make(http, scopes=["admin"])["key"]
    assert_problem(anonymous.get(f"/v1/keys{place}{key}"), 401, "key_required")
