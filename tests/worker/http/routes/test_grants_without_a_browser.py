"""Grants without a browser over HTTP: made, cached, renewed and refused, with strict providers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import httpx
import pytest
from joserfc.errors import JoseError
from joserfc.jwt import decode

from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from tests.provider.answers import Answer, json_answer
from tests.provider.clients import certified_key, client_key_pem
from tests.provider.server import Request
from tests.scripted_provider import ScriptedProvider
from tests.worker.http.answers import assert_problem

pytestmark = pytest.mark.usefixtures("worker")
_WAIT: Final = {"Prefer": "wait=20"}
_PATH: Final = "/v1/connections"
_JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class Tokens:
    """Issues tokens to requests that a check lets pass, and counts them."""

    def __init__(self, refusal: Callable[[Request], str | None], **members: Any) -> None:
        self.refusal = refusal
        self.members = {"token_type": "Bearer", "expires_in": 3600, **members}
        self.given = 0
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Answer:
        """Answer as RFC 6749 section 5 says."""
        if error := self.refusal(request):
            return json_answer({"error": error}, 401 if error == "invalid_client" else 400)
        with self._lock:
            self.given += 1
        return json_answer({"access_token": f"token-{self.given}", **self.members})


def _configure(http: httpx.Client, scripted: ScriptedProvider, **settings: Any) -> None:
    whole = {"token_endpoint": f"{scripted.issuer}/token", **settings}
    answer = http.put("/v1/providers/house", json=whole)
    assert answer.status_code == 201, answer.text


def _connect(http: httpx.Client, credentials: dict[str, str], **more: Any) -> dict[str, Any]:
    body = {"provider": "house", "credentials": credentials, **more}
    job: dict[str, Any] = http.post(_PATH, json=body, headers=_WAIT).json()
    return job


def _headers(http: httpx.Client, connection: str) -> dict[str, str]:
    answer = http.get(f"{_PATH}/{connection}/token")
    assert answer.status_code == 200, answer.text
    headers: dict[str, str] = answer.json()["headers"]
    return headers


def _make_due(connection: str) -> None:
    """Let a token have run out, as an hour does."""
    with hold_connection():
        row = TAB_CONNECTIONS.get_by_id(connection)
        moved = {"renew_at": row.created_at, "expires_at": row.created_at}
        TAB_CONNECTIONS.update(moved).where(TAB_CONNECTIONS.id == connection).execute()


def _client_credentials(request: Request) -> str | None:
    """Check a request of RFC 6749 section 4.4.2, with the audience that Auth0 wants besides."""
    form = request.form
    if request.headers.get("authorization") != "Basic YzpzZWNyZXQ=":
        return "invalid_client"
    wanted = {"grant_type": "client_credentials", "audience": "https://api.example"}
    return None if form == {**wanted, "scope": "read write"} else "invalid_request"


@pytest.mark.usefixtures("database")  # Each kind decides in its own way which request is first.
def test_one_request_for_a_clients_token_serves_many_callers(
    http: httpx.Client, scripted: ScriptedProvider
) -> None:
    # Given a provider that issues tokens to clients, slowly
    tokens = Tokens(_client_credentials)
    scripted.answer("/token", tokens)
    _configure(
        http,
        scripted,
        client_id="c",
        client_secret="secret",
        grant_types=["client_credentials"],
        token_parameters={"audience": "https://api.example"},
    )
    gate = scripted.hold("/token", times=1)
    # When many ask for its connection at once
    with ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(_connect, http, {}, scope="read write") for _ in range(6)]
        gate.await_arrival()
        time.sleep(0.2)
        gate.open()
        made = [job.result() for job in jobs]
    # Then there is one connection, by one request
    assert len({job["result"]["id"] for job in made}) == 1, made
    assert tokens.given == 1
    connection = made[0]["result"]["id"]
    assert _headers(http, connection) == {"Authorization": "Bearer token-1"}
    # And a stale token is renewed by another such request, once for all readers
    _make_due(connection)
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda _: _headers(http, connection)["Authorization"], range(4)))
    assert (set(read), tokens.given) == ({"Bearer token-2"}, 2)
    assert http.get(f"{_PATH}/{connection}").json()["status"] == "active"
    # And it is no subject's
    body = {"provider": "house", "credentials": {}, "subject": "user-1"}
    assert_problem(http.post(_PATH, json=body), 422, "credentials_invalid")


def test_an_apps_own_client_is_refused_alone(
    http: httpx.Client, scripted: ScriptedProvider
) -> None:
    # Given a provider of which each user has a client
    def check(request: Request) -> str | None:
        is_right = request.form.get("client_secret") == "right"
        return None if is_right else "invalid_client"

    scripted.answer("/token", Tokens(check))
    settings = {"token_endpoint_auth_method": "client_secret_post"}
    settings["revocation_endpoint"] = f"{scripted.issuer}/own-revoke"
    _configure(http, scripted, grant_types=["client_credentials"], **settings)
    # When a wrong secret is given, it is refused, and nothing is stored
    wrong = {"client_id": "own", "client_secret": "wrong"}
    assert _connect(http, wrong, subject="u")["error"]["code"] == "credentials_refused"
    assert http.get(_PATH).json()["items"] == []
    # And the provider is not paused for the right one
    made = _connect(http, {"client_id": "own", "client_secret": "right"}, subject="u")["result"]
    assert (made["subject"], made["profile"]["subject"]) == ("u", "own")
    # And what is revoked is revoked by that client
    scripted.answer("/own-revoke", lambda asked: Answer(401 if check(asked) else 200))
    ended = http.delete(f"{_PATH}/{made['id']}", headers=_WAIT).json()
    assert ended["result"]["revoked_tokens"] == ["access_token"]
    made = _connect(http, {"client_id": "own", "client_secret": "right"}, subject="u")["result"]
    # And a secret that is refused later ends this connection alone
    scripted.answer("/token", Tokens(lambda _: "invalid_client"))
    _make_due(made["id"])
    assert_problem(http.get(f"{_PATH}/{made['id']}/token"), 409, "reauthorization_required")
    renewals = http.get("/v1/providers/house").json()["renewals"]
    assert renewals["state"] == "closed"


def _assertion_check(claims: dict[str, Any], form: dict[str, str], kid: str | None) -> Any:
    """Return a check of RFC 7523 section 3: signature, key, claims, lifetime and form."""

    def check(request: Request) -> str | None:
        try:
            opened = decode(request.form["assertion"], certified_key()[3], algorithms=["RS256"])
        except (JoseError, ValueError, KeyError):
            return "invalid_grant"
        now, found = time.time(), opened.claims
        is_timely = now - 5 < found["iat"] <= now < found["exp"] <= now + 601
        times = {"iat", "exp", "jti"}
        stated = {name: value for name, value in found.items() if name not in times}
        rest = {name: value for name, value in request.form.items() if name != "assertion"}
        is_right = is_timely and stated == claims and opened.header.get("kid") == kid
        is_right = is_right and rest == {"grant_type": _JWT_BEARER, **form}
        return None if is_right and "authorization" not in request.headers else "invalid_grant"

    return check


_GOOGLE: Final = {
    "type": "service_account",
    "project_id": "p",
    "private_key_id": "kid-1",
    "client_email": "robot@p.iam.example",
    "token_uri": "https://attacker.example/token",
}


class Case(NamedTuple):
    """A provider's settings, what an app gives, and what its assertion and form have to hold."""

    settings: dict[str, Any]
    credentials: dict[str, str]
    scope: str | None
    claims: dict[str, str]
    form: dict[str, str]
    kid: str | None


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            Case(
                {"assertion_claims": {"scope": "{scope}"}},
                _GOOGLE,
                "drive mail",
                {"iss": "robot@p.iam.example", "scope": "drive mail"},
                {},
                "kid-1",
            ),
            id="google",
        ),
        pytest.param(
            Case(
                {"assertion_claims": {"scope": "{scope}"}},
                {**_GOOGLE, "sub": "alice@example.com"},
                "drive",
                {"iss": "robot@p.iam.example", "sub": "alice@example.com", "scope": "drive"},
                {},
                "kid-1",
            ),
            id="google delegated",
        ),
        pytest.param(
            Case(
                {"client_id": "consumer", "client_assertion_audience": "https://login.example.com"},
                {"sub": "alice@org"},
                None,
                {"iss": "consumer", "sub": "alice@org", "aud": "https://login.example.com"},
                {},
                None,
            ),
            id="salesforce",
        ),
        pytest.param(
            Case(
                {
                    "client_id": "box-client",
                    "client_secret": "box-secret",
                    "token_endpoint_auth_method": "client_secret_post",
                    "assertion_claims": {"box_sub_type": "enterprise"},
                    "assertion_lifetime_seconds": 45,
                },
                {"sub": "enterprise-7", "kid": "box-kid"},
                None,
                {"iss": "box-client", "sub": "enterprise-7", "box_sub_type": "enterprise"},
                {"client_id": "box-client", "client_secret": "box-secret"},
                "box-kid",
            ),
            id="box",
        ),
        pytest.param(
            Case(
                {},
                {"iss": "me", "sub": "me"},
                "read",
                {"iss": "me", "sub": "me"},
                {"scope": "read"},
                None,
            ),
            id="standard",
        ),
    ],
)
def test_an_assertion_says_what_each_provider_checks(
    http: httpx.Client, scripted: ScriptedProvider, case: Case
) -> None:
    # Given a provider that checks assertions to the letter
    known = {"aud": f"{scripted.issuer}/token", **case.claims}
    tokens = Tokens(_assertion_check(known, case.form, case.kid))
    scripted.answer("/token", tokens)
    _configure(http, scripted, grant_types=[_JWT_BEARER], **case.settings)
    scope = {"scope": case.scope} if case.scope else {}
    own_key = {"private_key": certified_key()[0]}
    # When a connection is made from a key
    made = _connect(http, {**own_key, **case.credentials}, **scope)
    # Then it has a token, and gets the next one by another assertion
    assert made["status"] == "succeeded", made
    connection = made["result"]["id"]
    _make_due(connection)
    assert _headers(http, connection) == {"Authorization": "Bearer token-2"}
    # And another key is refused, with nothing stored
    other = {"private_key": client_key_pem(), "iss": "other", "sub": "other"}
    refused = _connect(http, other, **scope)
    assert refused["error"]["code"] == "credentials_refused"
    assert [item["id"] for item in http.get(_PATH).json()["items"]] == [connection]


def test_a_github_app_gets_tokens_of_its_installations(
    http: httpx.Client, scripted: ScriptedProvider
) -> None:
    # Given GitHub, with an app and one installation of it
    asked: list[dict[str, Any]] = []

    def issue(request: Request) -> Answer:
        token = request.headers["authorization"].removeprefix("Bearer ")
        claims = decode(token, certified_key()[3], algorithms=["RS256"]).claims
        now = time.time()
        is_right = claims["iss"] == "Iv1.app" and claims["iat"] < now < claims["exp"] < now + 600
        if not is_right or request.method != "POST" or "github" not in request.headers["accept"]:
            return json_answer({"message": "A JSON web token could not be decoded"}, 401)
        asked.append(claims)
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + 3600))
        answer = {"token": f"ghs_{len(asked)}", "expires_at": end, "permissions": {}}
        return json_answer(answer, 201)

    scripted.answer("/app/installations/42/access_tokens", issue)
    endpoint = f"{scripted.issuer}/app/installations/{{installation_id}}/access_tokens"
    settings = {
        "client_id": "Iv1.app",
        "private_key": certified_key()[0],
        "grant_types": ["github_app_installation"],
        "installation_token_endpoint": endpoint,
        "failure_kinds": {"status 404": "grant_dead"},
    }
    assert http.put("/v1/providers/house", json=settings).status_code == 201
    # When its installation is connected
    made = _connect(http, {"installation_id": "42"})
    # Then there is a token, which ends in an hour, and is renewed
    assert made["status"] == "succeeded", made
    connection = made["result"]
    assert connection["expires_at"] is not None
    assert _headers(http, connection["id"]) == {"Authorization": "Bearer ghs_1"}
    _make_due(connection["id"])
    assert _headers(http, connection["id"]) == {"Authorization": "Bearer ghs_2"}
    # And an installation that is not there is refused, as is what is no number
    assert _connect(http, {"installation_id": "7"})["error"]["code"] == "credentials_refused"
    body = {"provider": "house", "credentials": {"installation_id": "../1"}}
    assert_problem(http.post(_PATH, json=body), 422, "credentials_invalid")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        pytest.param("assertion_claims", {"exp": "9999999999"}, id="exp"),
        pytest.param("assertion_claims", {"x": "{password}"}, id="placeholder"),
        pytest.param(
            "installation_token_endpoint", "https://{installation_id}.example/x", id="host"
        ),
    ],
)
def test_what_cannot_work_is_refused(http: httpx.Client, setting: str, value: Any) -> None:
    body = {"token_endpoint": "https://example.com/token", "grant_types": [_JWT_BEARER]}
    problem = http.put("/v1/providers/house", json={**body, setting: value})
    assert setting in assert_problem(problem, 422, "provider_invalid")["detail"]
