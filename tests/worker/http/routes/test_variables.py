"""Variables in every request that can bring them: tokens go to the customer's own place alone."""

from __future__ import annotations

from typing import Any, Final

import dramatiq
import httpx
import pytest

import catfeeder
from config import Settings
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from tests.provider.answers import Answer, json_answer
from tests.provider.server import Request
from tests.scripted_provider import ScriptedProvider
from tests.worker.http.answers import assert_problem

_WAIT: Final = {"Prefer": "wait=20"}
_CONNECTIONS: Final = "/v1/connections"
_ENDPOINTS: Final = {
    "authorization_endpoint": "authorize",
    "token_endpoint": "token",
    "userinfo_endpoint": "userinfo",
    "revocation_endpoint": "revoke",
}
_ACME: Final = {"tenant": "acme"}
_CLIENT_GRANT: Final = {"grant_types": ["client_credentials"], "scopes": ["{tenant}.read"]}
#: None of these leads anywhere: another place, more of a URL, nothing, and what is no variable.
_WRONG: Final[tuple[dict[str, str], ...]] = (
    {"tenant": "../globex"},
    {"tenant": "a/b"},
    {},
    {**_ACME, "host": "evil"},
)


@pytest.fixture
def tenants(
    scripted: ScriptedProvider,
    http: httpx.Client,
    worker: dramatiq.Worker,  # noqa: ARG001
) -> ScriptedProvider:
    """A provider that has a path for each customer, and nothing elsewhere."""
    for tenant in ("acme", "globex"):
        for path in _ENDPOINTS.values():
            scripted.answer(f"/{tenant}/{path}", scripted.paths[f"/{path}"])
    _configure(http, scripted, **scripted.credentials())
    return scripted


def _configure(http: httpx.Client, provider: ScriptedProvider, **settings: Any) -> None:
    urls = {name: f"{provider.issuer}/{{tenant}}/{path}" for name, path in _ENDPOINTS.items()}
    whole = {**urls, "variables": {"tenant": "[a-z]{2,20}"}, **settings}
    answer = http.put("/v1/providers/shops", json=whole)
    assert answer.is_success, answer.text


def _grant_tokens(provider: ScriptedProvider) -> dict[str, str]:
    grant = provider.grants.begin({"scope": "read"})
    access_token, refresh_token = provider.grants.add_tokens(grant, with_refresh_token=True)
    return {"access_token": access_token, "refresh_token": refresh_token or ""}


def _paths(provider: ScriptedProvider) -> set[str]:
    return {request.path for request in provider.requests}


def test_tokens_that_an_app_keeps_are_used_where_its_variables_say(
    http: httpx.Client, tenants: ScriptedProvider, settings: Settings, queue_key: str
) -> None:
    # Given the tokens of a customer's user, which the app keeps itself
    tokens = _grant_tokens(tenants)
    refresh, user_info = "/v1/oauth/shops/refresh", "/v1/oauth/shops/user-info"
    bodies = {
        refresh: {"refresh_token": tokens["refresh_token"]},
        user_info: {"access_token": tokens["access_token"]},
    }
    # When they are used with variables that are missing or lead elsewhere, no provider is asked
    for path, body in bodies.items():
        for wrong in _WRONG:
            refused = http.post(path, json={**body, "variables": wrong}, headers=_WAIT)
            problem = assert_problem(refused, 422, "variables_invalid")
            assert problem["errors"][0]["pointer"].startswith("#/variables/")
    assert tenants.requests == []
    # And with the right ones that customer's place is asked, over HTTP and by the queue
    for path, body in bodies.items():
        job = http.post(path, json={**body, "variables": _ACME}, headers=_WAIT).json()
        assert job["status"] == "succeeded", job
    with catfeeder.connect(settings.required_redis_url(), queue_key) as client:
        fresh = _grant_tokens(tenants)
        token = fresh["access_token"]
        assert client.user_info("shops", access_token=token, variables=_ACME).result(timeout=20)
        renewing = client.refresh_token("shops", fresh["refresh_token"], variables=_ACME)
        assert renewing.result(timeout=20)["access_token"]
    assert _paths(tenants) == {"/acme/token", "/acme/userinfo"}
    # And a connection has its own: a request brings none beside it
    both = {"connection_id": "x", "variables": _ACME}
    assert_problem(http.post(user_info, json=both), 422, "invalid_request")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_browser_begins_its_login_where_the_link_says(
    method: str, anonymous: httpx.Client, tenants: ScriptedProvider
) -> None:
    def begin(fields: dict[str, str]) -> httpx.Response:
        variables = {f"variables[{name}]": text for name, text in fields.items()}
        asked = {"portal": "7", **variables}
        path = "/v1/oauth/shops/login"
        if method == "GET":
            return anonymous.get(path, params=asked)
        return anonymous.post(path, data=asked)

    # When the link leads elsewhere, or says nothing, no sign-in begins
    for wrong in _WRONG:
        assert_problem(begin(wrong), 422, "variables_invalid")
    # And with the right ones its user signs in at that customer, whose the connection is
    begun = begin(_ACME)
    assert begun.headers["Location"].startswith(f"{tenants.issuer}/acme/authorize?"), begun.text
    answer = tenants.consent(begun.headers["Location"])
    connection = anonymous.get("/v1/oauth/callback", params=answer).json()
    assert connection["variables"] == _ACME
    assert _paths(tenants) == {"/acme/authorize", "/acme/token", "/acme/userinfo"}


def test_grants_are_moved_in_where_their_customer_is(
    http: httpx.Client, tenants: ScriptedProvider
) -> None:
    def move_in(variables: dict[str, str], tokens: dict[str, str]) -> httpx.Response:
        known = {"profile": {"subject": "user-1"}, "variables": variables}
        return http.post(_CONNECTIONS, json={"provider": "shops", "tokens": tokens, **known})

    # When a grant is moved in without its place, or with another one, it is refused
    for wrong in _WRONG:
        refused = move_in(wrong, {"refresh_token": "r"})
        assert_problem(refused, 422, "variables_invalid")
    # And one user of two customers is two accounts
    acme, globex = (
        move_in({"tenant": tenant}, _grant_tokens(tenants)).json() for tenant in ("acme", "globex")
    )
    assert acme["id"] != globex["id"]
    assert globex["variables"] == {"tenant": "globex"}
    assert_problem(move_in(_ACME, {"refresh_token": "another"}), 409, "connection_exists")
    # And each is renewed, read and revoked at its own place
    path = f"{_CONNECTIONS}/{globex['id']}"
    assert http.post(f"{path}/renew", headers=_WAIT).json()["status"] == "succeeded"
    assert http.delete(path, headers=_WAIT).json()["result"]["revoked_at_provider"]
    assert _paths(tenants) == {"/globex/token", "/globex/revoke"}


def test_a_clients_tokens_are_asked_for_where_the_customer_is(
    http: httpx.Client, tenants: ScriptedProvider
) -> None:
    # Given a provider whose clients ask each customer for tokens, by a scope of that customer
    given: list[str] = []

    def issue(request: Request) -> Answer:
        given.append(f"token-{len(given) + 1}")
        is_right = request.form["scope"] == f"{request.path.split('/')[1]}.read"
        return json_answer(
            {"access_token": given[-1], "token_type": "Bearer", "expires_in": 3600}
            if is_right
            else {"error": "invalid_scope"},
            200 if is_right else 400,
        )

    for tenant in ("acme", "globex"):
        tenants.answer(f"/{tenant}/token", issue)
    headers = {"Authorization": "Bearer {access_token}", "X-Tenant": "{tenant}"}
    _configure(http, tenants, **tenants.credentials(), **_CLIENT_GRANT, api_headers=headers)

    def connect(variables: dict[str, str]) -> httpx.Response:
        body = {"provider": "shops", "credentials": {}, "variables": variables}
        return http.post(_CONNECTIONS, json=body, headers=_WAIT)

    for wrong in _WRONG:
        assert_problem(connect(wrong), 422, "variables_invalid")
    assert given == []
    # When the same is asked for twice, and another customer's once
    first, again, other = (connect({"tenant": it}).json() for it in ("acme", "acme", "globex"))
    # Then two tokens are issued, for two connections
    assert first["result"]["id"] == again["result"]["id"] != other["result"]["id"], again
    assert len(given) == 2
    # And one that is due is renewed there, and says in its headers whose it is
    connection = other["result"]["id"]
    with hold_connection():
        row = TAB_CONNECTIONS.get_by_id(connection)
        moved = {"renew_at": row.created_at, "expires_at": row.created_at}
        TAB_CONNECTIONS.update(moved).where(TAB_CONNECTIONS.id == connection).execute()
    tenants.requests.clear()
    read = http.get(f"{_CONNECTIONS}/{connection}/token").json()
    assert read["headers"] == {"Authorization": f"Bearer {given[-1]}", "X-Tenant": "globex"}
    assert _paths(tenants) == {"/globex/token"}


def test_a_key_is_checked_and_placed_where_the_customer_is(
    http: httpx.Client, tenants: ScriptedProvider
) -> None:
    # Given an API with a place for each customer, which wants its name beside the key
    tenants.answer("/acme/me", lambda request: json_answer({}, _status_of(request)))
    settings = {
        "credential_type": "api_key",
        "variables": {"tenant": "[a-z]{2,20}"},
        "check_endpoint": f"{tenants.issuer}/{{tenant}}/me",
        "api_headers": {"X-Key": "{tenant}:{api_key}"},
    }
    assert http.put("/v1/providers/shops", json=settings).is_success

    def connect(variables: dict[str, str]) -> httpx.Response:
        credentials = {"api_key": "k"}
        body = {"provider": "shops", "credentials": credentials, "variables": variables}
        return http.post(_CONNECTIONS, json=body, headers=_WAIT)

    for wrong in _WRONG:
        refused = connect(wrong)
        assert_problem(refused, 422, "variables_invalid")
    assert tenants.requests == []
    # When one is connected, its key is checked there, and its requests say whose it is
    connection = connect(_ACME).json()["result"]
    assert connection["variables"] == _ACME
    read = http.get(f"{_CONNECTIONS}/{connection['id']}/token").json()
    assert read["headers"] == {"X-Key": "acme:k"}


def _status_of(request: Request) -> int:
    return 200 if request.headers.get("x-key") == "acme:k" else 401
