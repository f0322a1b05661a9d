"""Connections without a browser: made by POST /v1/connections, used, and erased."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from tests.provider.answers import Answer
from tests.provider.server import Request
from tests.scripted_provider import ScriptedProvider
from tests.worker.http.answers import assert_problem

_WAIT = {"Prefer": "wait=20"}
_PATH = "/v1/connections"
_KEY = {"api_key": "sk-123 456"}
_LOGIN = {"username": "alice", "password": "sésame:ouvre"}
_BASIC = base64.b64encode("alice:sésame:ouvre".encode()).decode()


def _configure(http: httpx.Client, name: str = "mailer", **settings: Any) -> None:
    answer = http.put(f"/v1/providers/{name}", json=settings)
    assert answer.status_code == 201, answer.text


def _connect(http: httpx.Client, credentials: dict[str, Any], **more: Any) -> httpx.Response:
    body = {"provider": "mailer", "credentials": credentials, **more}
    return http.post(_PATH, json=body, headers=_WAIT)


@pytest.mark.parametrize(
    ("kind", "credentials", "headers", "query"),
    [
        pytest.param(
            {"credential_type": "api_key"},
            _KEY,
            {"Authorization": "Bearer sk-123 456"},
            {},
            id="api_key",
        ),
        pytest.param(
            {
                "credential_type": "api_key",
                "client_id": "c-1",
                "api_headers": {"X-Api-Key": "Token {api_key}", "Client-Id": "{client_id}"},
            },
            _KEY,
            {"X-Api-Key": "Token sk-123 456", "Client-Id": "c-1"},
            {},
            id="header",
        ),
        pytest.param(
            {"credential_type": "api_key", "api_query_parameters": {"key": "{api_key}"}},
            _KEY,
            {},
            {"key": "sk-123 456"},
            id="query",
        ),
        pytest.param(
            {"credential_type": "basic"},
            _LOGIN,
            {"Authorization": f"Basic {_BASIC}"},
            {},
            id="basic",
        ),
    ],
)
@pytest.mark.usefixtures("worker")
def test_a_key_is_stored_at_once_and_read_as_headers(
    http: httpx.Client,
    kind: dict[str, Any],
    credentials: dict[str, str],
    headers: dict[str, str],
    query: dict[str, str],
) -> None:
    # Given a provider whose API takes keys
    _configure(http, **kind)
    # When an app stores its user's, twice
    made = _connect(http, credentials, subject="user-1")
    again = _connect(http, credentials, subject="user-1")
    # Then there is one connection, without the key, and never due
    connection = made.json()
    assert made.status_code == again.status_code == 201, made.text
    assert made.headers["Location"] == f"{_PATH}/{connection['id']}"
    assert again.json()["id"] == connection["id"]
    assert connection["status"] == "active"
    assert connection["subject"] == "user-1"
    assert connection["profile"]["source"] == "credentials"
    assert not any(value in made.text for value in (credentials.get("api_key"), "ouvre") if value)
    # And what a request carries is read as any token is
    token = http.get(f"{_PATH}/{connection['id']}/token").json()
    assert (token["headers"], token["query_parameters"]) == (headers, query)
    assert token["access_token"] is None
    # And DELETE erases it
    ended = http.delete(f"{_PATH}/{connection['id']}", headers=_WAIT).json()
    assert ended["result"]["revoked_at_provider"] is False
    assert http.get(_PATH).json()["items"] == []


@pytest.mark.parametrize(
    ("kind", "credentials"),
    [
        pytest.param("api_key", {}, id="missing"),
        pytest.param("api_key", {**_KEY, "password": "x"}, id="unknown"),
        pytest.param("api_key", {"api_key": "line\r\nbreak"}, id="line break"),
        pytest.param("basic", {"username": "a:b", "password": "x"}, id="colon"),
        pytest.param("basic", {"username": "", "password": ""}, id="empty"),
    ],
)
def test_credentials_of_another_kind_are_refused(
    http: httpx.Client, kind: str, credentials: dict[str, str]
) -> None:
    _configure(http, credential_type=kind)
    problem = assert_problem(_connect(http, credentials), 422, "credentials_invalid")
    assert "x" not in credentials.get("password", "") or "'x'" not in str(problem)
    assert http.get(_PATH).json()["items"] == []


@pytest.mark.usefixtures("worker")
def test_a_key_is_checked_with_the_provider_before_it_is_stored(
    http: httpx.Client, scripted: ScriptedProvider
) -> None:
    # Given a provider with a check request, which knows one key
    def check(request: Request) -> Answer:
        return Answer(200 if request.headers.get("x-api-key") == "right" else 401)

    scripted.answer("/me", check)
    endpoint = {"check_endpoint": f"{scripted.issuer}/me"}
    _configure(http, credential_type="api_key", api_headers={"X-Api-Key": "{api_key}"}, **endpoint)
    # When a wrong one is given, the job says so, and nothing is stored
    refused = _connect(http, {"api_key": "wrong"}).json()
    assert refused["error"]["code"] == "credentials_refused"
    assert "401" in refused["error"]["detail"]
    assert http.get(_PATH).json()["items"] == []
    # And the right one is stored
    job = _connect(http, {"api_key": "right"}).json()
    assert job["status"] == "succeeded", job
    token = http.get(f"{_PATH}/{job['result']['id']}/token").json()
    assert token["headers"] == {"X-Api-Key": "right"}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        pytest.param("api_headers", {"X-Api-Key": "{secret}"}, id="unknown placeholder"),
        pytest.param("api_headers", {"X-Api-Key": "{password}"}, id="other kind"),
        pytest.param("api_query_parameters", {"v": "2"}, id="no credential"),
        pytest.param("api_headers", {"X-Api-Key": "${api_key"}, id="open brace"),
        pytest.param("api_headers", {"Host": "{api_key}"}, id="framing"),
        pytest.param("api_headers", {"X Key": "{api_key}"}, id="no name"),
        pytest.param("api_query_parameters", {"key": "a\nb"}, id="line break"),
    ],
)
def test_a_placement_that_cannot_work_is_refused(
    http: httpx.Client, setting: str, value: dict[str, str]
) -> None:
    settings = {"credential_type": "api_key", setting: value}
    problem = assert_problem(
        http.put("/v1/providers/mailer", json=settings), 422, "provider_invalid"
    )
    assert setting in problem["detail"]


def test_a_user_does_not_sign_in_with_a_key(http: httpx.Client) -> None:
    _configure(http, credential_type="api_key")
    assert_problem(http.post("/v1/oauth/mailer/authorize", json={}), 409, "sign_in_not_offered")
