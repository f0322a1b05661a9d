"""Sign-in over HTTP: begun, finished by the app itself, and what can be asked of a provider."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.oidc_provider import OidcProvider
from tests.worker.http.answers import assert_problem
from tests.worker.http.signing_in import consented, sign_in

_WAIT = {"Prefer": "wait=20"}


def _query(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


def test_authorize_discovers_the_provider_and_begins(
    http: httpx.Client, house: OidcProvider
) -> None:
    # Given a provider of which nothing but the issuer is known
    # When a sign-in is begun
    answer = http.post("/v1/oauth/house/authorize", json={"scope": "openid"})
    # Then a worker has asked the issuer, and the URL leads there
    begun = answer.json()
    assert answer.status_code == 200, begun
    assert set(begun) == {"authorization_url", "state", "expires_at"}
    assert begun["authorization_url"].startswith(house.issuer)
    query = _query(begun["authorization_url"])
    assert query["state"] == [begun["state"]]
    assert query["scope"] == ["openid"]
    assert query["code_challenge_method"] == ["S256"]
    assert begun["state"].endswith(":house")


def test_a_sign_in_takes_the_variables_of_its_provider(http: httpx.Client) -> None:
    # Given a provider with a host for each customer
    urls = {
        f"{name}_endpoint": f"https://{{subdomain}}.idp.example/{name}"
        for name in ("authorization", "token", "userinfo")
    }
    settings = {**urls, "client_id": "a", "variables": {"subdomain": "[a-z0-9-]{2,}"}}
    assert http.put("/v1/providers/shops", json=settings).status_code == 201

    # When an app names one, then its user is sent there
    path = "/v1/oauth/shops/authorize"
    begun = http.post(path, json={"variables": {"subdomain": "Acme"}}).json()
    assert begun["authorization_url"].startswith("https://acme.idp.example/authorization?")
    # And without one, or with more than a label of a host, the answer says which
    for variables in ({}, {"subdomain": "evil.example/"}, {"subdomain": "evil.example"}):
        refused = http.post(path, json={"variables": variables})
        assert refused.status_code == 422
        fault = refused.json()["errors"][0]
        assert fault["code"] == "variables_invalid"
        assert fault["pointer"] == "#/variables/subdomain"


def test_sign_ins_at_once_wait_for_one_discovery(
    anonymous: httpx.Client, http: httpx.Client, house: OidcProvider
) -> None:
    with ThreadPoolExecutor(4) as pool:
        begun = list(pool.map(lambda _: anonymous.get("/v1/oauth/house/login"), range(4)))
    assert [answer.status_code for answer in begun] == [303] * 4
    assert all(answer.headers["Location"].startswith(house.issuer) for answer in begun)
    metrics = http.get("/metrics").text
    assert 'catfeeder_jobs_enqueued_total{actor="discover_provider"} 1.0' in metrics


@pytest.mark.config(OAuth={"return_to_origins": ["https://app.example.com"]})
def test_a_login_that_cannot_begin_ends_at_the_app(anonymous: httpx.Client) -> None:
    # Given no provider of that name, and a browser that came from the app's page
    answer = anonymous.get(
        "/v1/oauth/nobody/login", params={"return_to": "https://app.example.com/in?a=b"}
    )
    # Then the user goes back there
    assert answer.status_code == 303
    place = answer.headers["Location"]
    assert place.startswith("https://app.example.com/in?a=b&error=provider_unknown&error_desc")
    # And one that names no page of the app's gets what there is to say
    for query in ({}, {"return_to": "https://evil.example/"}):
        shown = anonymous.get("/v1/oauth/nobody/login", params=query)
        assert_problem(shown, 404, "provider_unknown")


@pytest.mark.config(Server_configuration={"login_requires_key": True})
@pytest.mark.usefixtures("house")
def test_login_requires_a_key(anonymous: httpx.Client, http: httpx.Client) -> None:
    assert_problem(anonymous.get("/v1/oauth/house/login"), 401, "key_required")
    assert http.get("/v1/oauth/house/login").status_code == 303


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"return_to": "https://evil.example/"}, 400, "return_to_forbidden"),
        ({"subject": ""}, 422, "invalid_request"),
        ({"subject": "a" * 256}, 422, "invalid_request"),
        ({"subject": "nul \0"}, 422, "invalid_request"),
        ({"scopes": ["openid"]}, 422, "invalid_request"),
        *(({"max_age": age}, 422, "invalid_request") for age in (-1, "0", 0.5, 10**9, True)),
        ({"prompt": "none login"}, 422, "request_parameter_invalid"),
        ({"acr_essential": True}, 422, "request_parameter_invalid"),
        ({"resource": ["https://api.example/", "api"]}, 422, "request_parameter_invalid"),
        ({"resource": {"a": "b"}}, 422, "invalid_request"),
    ],
)
@pytest.mark.usefixtures("house")
def test_authorize_refuses_what_it_cannot_use(
    http: httpx.Client, body: dict[str, object], status: int, code: str
) -> None:
    assert_problem(http.post("/v1/oauth/house/authorize", json=body), status, code)


@pytest.mark.parametrize("name", ["nobody", "NoBody", "%00", "a" * 65])
@pytest.mark.usefixtures("database")  # Each kind takes another view of what a text may hold.
def test_a_provider_that_is_not_there_is_not_found(http: httpx.Client, name: str) -> None:
    bodies: dict[str, dict[str, str]] = {
        "authorize": {},
        "exchange": {"code": "c", "state": "s:nobody"},
        "user-info": {"access_token": "t"},
        "refresh": {"refresh_token": "t"},
    }
    for action, body in bodies.items():
        answer = http.post(f"/v1/oauth/{name}/{action}", json=body)
        assert_problem(answer, 404, "provider_unknown")
    assert http.get(f"/v1/oauth/{name}/login").status_code == 404


def test_a_provider_without_credentials_conflicts(http: httpx.Client) -> None:
    http.put("/v1/providers/google", json={"preset": "google"})
    answer = http.post("/v1/oauth/google/authorize", json={})
    assert_problem(answer, 409, "provider_not_configured")


def test_exchange_code_by_the_app_itself(http: httpx.Client, house: OidcProvider) -> None:
    # Given an answer that came to a redirect URI of the app's own
    answer = consented(http, house, "alice", subject="u-1")
    body = {"code": answer["code"], "state": answer["state"]}
    # When the app hands it in
    job = http.post("/v1/oauth/house/exchange", json=body, headers=_WAIT).json()
    # Then the result is the connection, without tokens
    assert job["status"] == "succeeded", job
    assert job["result"]["subject"] == "u-1"
    assert job["result"]["profile"]["subject"] == "alice"
    assert "access_token" not in str(job)
    # And the same answer serves no second time
    again = http.post("/v1/oauth/house/exchange", json=body, headers=_WAIT).json()
    assert again["error"]["code"] == "state_used"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"code": "x" * 60_000, "state": "s:house"}, "#/code"),
        ({"code": "c", "state": "s" * 1025}, "#/state"),
        ({"code": "c", "state": "s:house", "iss": "i" * 2049}, "#/iss"),
        ({"code": "c", "state": "s:house", "user": "u" * 4097}, "#/user"),
    ],
)
@pytest.mark.usefixtures("house")
def test_an_oversized_answer_makes_no_job(
    http: httpx.Client, body: dict[str, str], pointer: str
) -> None:
    answer = http.post("/v1/oauth/house/exchange", json=body)
    [fault] = assert_problem(answer, 422, "invalid_request")["errors"]
    assert fault["pointer"] == pointer


def test_user_info_by_connection_and_by_token(http: httpx.Client, house: OidcProvider) -> None:
    connection = sign_in(http, house, "bob")
    token = http.get(f"/v1/connections/{connection['id']}/token").json()["access_token"]
    for body in ({"connection_id": connection["id"]}, {"access_token": token}):
        job = http.post("/v1/oauth/house/user-info", json=body, headers=_WAIT).json()
        assert job["result"]["subject"] == "bob", job


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid_request"),
        ({"access_token": "a", "connection_id": "b"}, 422, "invalid_request"),
        ({"connection_id": "not-an-id"}, 404, "connection_unknown"),
        ({"connection_id": "00000000-0000-4000-8000-000000000000"}, 404, "connection_unknown"),
    ],
)
@pytest.mark.usefixtures("house")
def test_user_info_needs_one_source(
    http: httpx.Client, body: dict[str, str], status: int, code: str
) -> None:
    assert_problem(http.post("/v1/oauth/house/user-info", json=body), status, code)


def test_user_info_of_another_providers_connection_is_not_found(
    http: httpx.Client, house: OidcProvider
) -> None:
    connection = sign_in(http, house, "bob")
    http.put("/v1/providers/google", json={"preset": "google", "client_id": "a"})
    body = {"connection_id": connection["id"]}
    assert_problem(http.post("/v1/oauth/google/user-info", json=body), 404, "connection_unknown")


def test_refresh_token_fails_with_the_providers_refusal(
    http: httpx.Client, house: OidcProvider
) -> None:
    sign_in(http, house, "alice")
    body = {"refresh_token": "not-one-of-the-providers"}
    job = http.post("/v1/oauth/house/refresh", json=body, headers=_WAIT).json()
    assert job["status"] == "failed"
    assert job["error"]["code"] == "provider_refused"
    assert body["refresh_token"] not in str(job)
