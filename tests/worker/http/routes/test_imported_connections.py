"""Connections that are moved in by POST /v1/connections: stored once, renewed, proven, used."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dramatiq
import httpx
import pytest

import catfeeder
from actors.connections.reading import find_connection
from catfeeder.clock import rfc3339, utc_now
from config import Settings
from tests.actors.renewals import begin_and_abandon
from tests.conftest import ADMIN_API_KEY
from tests.scripted_provider import ScriptedProvider
from tests.worker.http.answers import assert_problem

_WAIT = {"Prefer": "wait=20"}
_PATH = "/v1/connections"


@pytest.fixture(autouse=True)
def _old(
    scripted: ScriptedProvider,
    http: httpx.Client,
    worker: dramatiq.Worker,  # noqa: ARG001
) -> None:
    """Let the service know the provider, whose refresh tokens serve once."""
    scripted.script.rotation = "single_use"
    settings = {**scripted.addresses(), **scripted.credentials(), "scopes": ["read"]}
    answer = http.put("/v1/providers/old", json=settings)
    assert answer.status_code == 201, answer.text


def grant_tokens(provider: ScriptedProvider) -> dict[str, str]:
    """Grant tokens as to another system, which holds them until now."""
    grant = provider.grants.begin({"scope": "read"})
    access_token, refresh_token = provider.grants.add_tokens(grant, with_refresh_token=True)
    return {"access_token": access_token, "refresh_token": refresh_token or ""}


def move_in(http: httpx.Client, tokens: dict[str, str], **more: Any) -> httpx.Response:
    return http.post(_PATH, json={"provider": "old", "tokens": tokens, **more})


@pytest.mark.usefixtures("database")
def test_a_grant_is_moved_in_once(http: httpx.Client, scripted: ScriptedProvider) -> None:
    # Given a grant of another system, of which all is known
    tokens = {**grant_tokens(scripted), "expires_at": rfc3339(utc_now() + timedelta(hours=1))}
    whole = {
        "subject": "u-1",
        "profile": {"subject": "77", "email": "a@example.com"},
        "metadata": {"tenant": "t-1"},
        "created_at": "2024-05-01T10:00:00Z",
    }
    made = move_in(http, {**tokens, "scope": "read,write"}, **whole)
    assert made.status_code == 201, made.text
    connection = made.json()
    # Then its connection says all of that, and its token is that of the other system
    path = made.headers["Location"]
    assert http.get(path).json() == connection
    assert (connection["status"], connection["scope"]) == ("active", "read write")
    assert (connection["subject"], connection["metadata"]) == ("u-1", {"tenant": "t-1"})
    assert (connection["profile"]["subject"], connection["profile"]["source"]) == ("77", None)
    assert connection["created_at"].startswith("2024-05-01T10:00:00")
    assert http.get(f"{path}/token").json()["access_token"] == tokens["access_token"]
    # When it has been renewed, and its first refresh token is spent
    renewed = http.post(f"{path}/renew", headers=_WAIT).json()
    assert renewed["status"] == "succeeded", renewed
    # Then the same grant, moved in again, changes nothing
    again = move_in(http, tokens, **whole)
    assert (again.status_code, again.json()) == (200, renewed["result"])
    assert http.post(f"{path}/renew", headers=_WAIT).json()["status"] == "succeeded"
    # And the audit trail has it once
    events = http.get("/v1/events", params={"kind": "imported"}).json()["items"]
    assert [event["connection_id"] for event in events] == [connection["id"]]
    assert events[0]["detail"] == {"source": "http", "outcome": "created"}


def test_a_grant_does_not_take_the_place_of_one_that_works(
    http: httpx.Client, scripted: ScriptedProvider
) -> None:
    # Given an account that is connected by one grant
    who = {"profile": {"subject": "77"}, "subject": "u-1"}
    first = move_in(http, grant_tokens(scripted), **who).json()
    other = grant_tokens(scripted)
    # When another one is moved in, then it is refused until that is wanted
    assert_problem(move_in(http, other, **who), 409, "connection_exists")
    taken = move_in(http, other, **who, replace=True)
    assert (taken.status_code, taken.json()["id"]) == (200, first["id"])
    token = http.get(f"{_PATH}/{first['id']}/token").json()
    assert token["access_token"] == other["access_token"]


def test_a_grant_is_proven_and_its_account_learned(
    http: httpx.Client, scripted: ScriptedProvider
) -> None:
    # Given a refresh token of which nothing else is known, and a token that has run out
    tokens = grant_tokens(scripted)
    past = rfc3339(utc_now() - timedelta(days=1))
    job = http.post(
        _PATH,
        json={"provider": "old", "tokens": {**tokens, "expires_at": past}, "verify": True},
        headers=_WAIT,
    ).json()
    # Then one renewal has proven it, and user info says whose it is
    assert job["status"] == "succeeded", job
    connection = job["result"]
    assert connection["profile"]["subject"] == scripted.script.user["id"]
    assert connection["profile"]["source"] == "userinfo"
    assert len(scripted.requests_for("/token")) == 1
    # And a second grant of that account, of the same user, takes its place once it is proven
    # (its token has run out as well, so its refresh token is another one by then)
    second = move_in(http, {**grant_tokens(scripted), "expires_at": past}).json()
    assert second["profile"]["subject"] is None
    info = http.post(
        "/v1/oauth/old/user-info", json={"connection_id": second["id"]}, headers=_WAIT
    ).json()
    assert info["result"]["subject"] == scripted.script.user["id"], info
    assert_problem(http.get(f"{_PATH}/{second['id']}"), 404, "connection_unknown")
    identified = http.get("/v1/events", params={"kind": "identified"}).json()["items"]
    assert identified[0]["detail"] == {"merged": second["id"]}
    assert [item["id"] for item in http.get(_PATH).json()["items"]] == [connection["id"]]
    renewed = http.post(f"{_PATH}/{connection['id']}/renew", headers=_WAIT).json()
    assert renewed["status"] == "succeeded", renewed


def test_a_grant_whose_renewal_is_in_flight_takes_no_other_place(
    http: httpx.Client, scripted: ScriptedProvider
) -> None:
    # Given a grant of an account that is not known yet, which another process renews
    lasting = {"expires_at": rfc3339(utc_now() + timedelta(hours=1))}
    made = move_in(http, {**grant_tokens(scripted), **lasting}).json()
    begin_and_abandon(find_connection(made["id"]))
    # When its account is asked for, then what the renewal brings is not lost to a copy of it
    asked = {"connection_id": made["id"]}
    job = http.post("/v1/oauth/old/user-info", json=asked, headers=_WAIT).json()
    assert job["error"]["code"] == "connection_busy"
    assert http.get(f"{_PATH}/{made['id']}").json() == made


def test_a_grant_that_is_dead_or_anothers_is_reported(
    http: httpx.Client, scripted: ScriptedProvider
) -> None:
    # When a spent token is to be proven, then the job says that its user is needed
    body = {"provider": "old", "tokens": {"refresh_token": "spent"}, "verify": True}
    job = http.post(_PATH, json=body, headers=_WAIT).json()
    assert job["error"]["code"] == "reauthorization_required", job
    # And when the provider names another account than the import, that is no success either
    wrong = {"tokens": grant_tokens(scripted), "profile": {"subject": "someone-else"}}
    job = http.post(_PATH, json={**body, **wrong}, headers=_WAIT).json()
    assert job["error"]["code"] == "account_differs", job


def test_a_token_is_renewed_when_it_is_first_read(
    http: httpx.Client, scripted: ScriptedProvider
) -> None:
    # Given a connection with a refresh token alone, whose renewal is planned for later
    refresh_token = grant_tokens(scripted)["refresh_token"]
    connection = move_in(http, {"refresh_token": refresh_token}).json()
    # When its token is read, then the reader does not wait for that
    token = http.get(f"{_PATH}/{connection['id']}/token")
    assert token.status_code == 200, token.text
    assert token.json()["access_token"].startswith("access-2-")


@pytest.mark.parametrize(
    ("tokens", "code"),
    [
        pytest.param({}, "import_invalid", id="no token"),
        pytest.param({"refresh_token": ""}, "import_invalid", id="an empty one"),
        pytest.param({"refresh_token": "a\nb"}, "import_invalid", id="a line break"),
        pytest.param(
            {"access_token": "a", "expires_at": "2020-01-01T00:00:00Z"},
            "import_invalid",
            id="expired for good",
        ),
        pytest.param({"refresh_token": "a", "expires_at": 7}, "invalid_request", id="no time"),
    ],
)
@pytest.mark.usefixtures("scripted")
def test_what_cannot_work_is_refused(http: httpx.Client, tokens: dict[str, Any], code: str) -> None:
    answer = move_in(http, tokens)
    assert answer.json()["code"] == code, answer.text
    assert answer.status_code == 422
    assert http.get(_PATH).json()["items"] == []


def test_an_app_moves_its_own_in_alone(http: httpx.Client, scripted: ScriptedProvider) -> None:
    # Given two apps, and a grant that each of them holds
    tokens = grant_tokens(scripted)
    for app in ("shop", "blog"):
        assert http.post("/v1/apps", json={"id": app}).status_code == 201
    # When the operator moves it in for each
    made = [
        http.post(
            _PATH,
            json={"provider": "old", "tokens": tokens, "profile": {"subject": "77"}},
            headers={"Catfeeder-App": app},
        ).json()
        for app in ("shop", "blog")
    ]
    # Then each has a connection of its own, and neither that of the other
    assert [connection["app"] for connection in made] == ["shop", "blog"]
    for connection, other in zip(made, ("blog", "shop"), strict=True):
        answer = http.get(f"{_PATH}/{connection['id']}", headers={"Catfeeder-App": other})
        assert_problem(answer, 404, "connection_unknown")


def test_the_python_client_moves_a_grant_in(
    url: str, scripted: ScriptedProvider, settings: Settings, queue_key: str
) -> None:
    redis_url = settings.required_redis_url()
    with catfeeder.connect(redis_url, queue_key, api_url=url, api_key=ADMIN_API_KEY) as client:
        tokens = grant_tokens(scripted)
        ends_at = utc_now() + timedelta(hours=1)
        made = client.import_connection(
            "old",
            refresh_token=tokens["refresh_token"],
            access_token=tokens["access_token"],
            expires_at=ends_at,
            subject="u-1",
        )
        proven = client.verify_connection(made["id"]).result(timeout=30)
        assert (proven["id"], proven["subject"]) == (made["id"], "u-1")
        assert proven["profile"]["subject"] == scripted.script.user["id"]
        with pytest.raises(TypeError):
            client.import_connection("old", access_token="a", colour="red")  # type: ignore[call-arg]


def test_a_grant_has_the_variables_of_its_provider(
    http: httpx.Client, scripted: ScriptedProvider
) -> None:
    # Given a provider whose URLs are filled in for each account
    url = f"{scripted.issuer}/{{tenant}}/token"
    endpoints = {"authorization_endpoint": url, "token_endpoint": url, "identity": "none"}
    settings = {**endpoints, "client_id": "c", "variables": {"tenant": "[a-z]+"}}
    assert http.put("/v1/providers/tenants", json=settings).status_code == 201
    whole = {"provider": "tenants", "subject": "u-1", "tokens": {"refresh_token": "r-1"}}
    # When a grant is moved in with its variables, then it has them, and no grant goes without
    made = http.post(_PATH, json={**whole, "variables": {"tenant": "acme"}})
    assert (made.status_code, made.json()["variables"]) == (201, {"tenant": "acme"})
    assert_problem(http.post(_PATH, json=whole), 422, "variables_invalid")
    # And one of another tenant is another account
    other = {**whole, "tokens": {"refresh_token": "r-2"}, "variables": {"tenant": "other"}}
    assert http.post(_PATH, json=other).status_code == 201
