"""The OpenID Foundation's test modules for relying parties, each as a test under its own name.

docs/conformance.md has the plans that they belong to, and what each demands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import ECKey, OKPKey

from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from tests.provider.signing import rsa_key, unsigned
from tests.scripted_provider import ScriptedProvider
from tests.worker.http.answers import assert_problem
from tests.worker.http.sign_ins.scripted.conftest import begin, put_provider

_CALLBACK: Final = "/v1/oauth/callback"
_WAIT: Final = {"Prefer": "wait=20"}

SignIn = Callable[..., httpx.Response]


def _bring(browser: httpx.Client, answer: Mapping[str, str], response_mode: str) -> httpx.Response:
    if response_mode == "form_post":
        return browser.post(_CALLBACK, data=dict(answer))
    return browser.get(_CALLBACK, params=dict(answer))


@pytest.fixture(params=["query", "form_post"])
def response_mode(request: pytest.FixtureRequest) -> str:
    """How the provider answers: by the Basic plan, or by that of Form Post Basic."""
    mode: str = request.param
    return mode


@pytest.fixture
def suite(http: httpx.Client, honest: ScriptedProvider, response_mode: str) -> ScriptedProvider:
    """The provider of the test suite."""
    parameters = {"response_mode": response_mode}
    put_provider(http, "suite", honest, authorization_parameters=parameters)
    return honest


@pytest.fixture
def sign_in(browser: httpx.Client, suite: ScriptedProvider, response_mode: str) -> SignIn:
    """Signs a user in from beginning to end; `before_token` runs when the user has consented."""

    def perform(before_token: Callable[[], None] = lambda: None) -> httpx.Response:
        answer = suite.consent(begin(browser, "suite"))
        before_token()
        return _bring(browser, answer, response_mode)

    return perform


def _assert_accepted(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    connection: dict[str, Any] = answer.json()
    assert connection["status"] == "active"
    return connection


def _assert_refused(answer: httpx.Response) -> None:
    assert_problem(answer, 502, "id_token_invalid")
    with hold_connection():
        assert TAB_CONNECTIONS.select().count() == 0


# -- Basic, and the same by Form Post Basic


def test_oidcc_client_test(sign_in: SignIn, suite: ScriptedProvider) -> None:
    connection = _assert_accepted(sign_in())

    # The code flow, with user info
    assert suite.requests_for("/authorize")[0].query["response_type"] == "code"
    assert connection["profile"]["source"] == "userinfo"


def test_oidcc_client_test_client_secret_basic(sign_in: SignIn, suite: ScriptedProvider) -> None:
    _assert_accepted(sign_in())

    [request] = suite.requests_for("/token")
    assert request.headers["authorization"].startswith("Basic ")
    assert "client_secret" not in request.form


def test_oidcc_client_test_scope_userinfo_claims(
    http: httpx.Client, browser: httpx.Client, suite: ScriptedProvider, response_mode: str
) -> None:
    asked = http.post("/v1/oauth/suite/authorize", json={"scope": "openid profile email"})
    answer = suite.consent(asked.json()["authorization_url"])

    connection = _assert_accepted(_bring(browser, answer, response_mode))

    # The claims that the scopes stand for
    assert suite.requests_for("/authorize")[0].query["scope"] == "openid profile email"
    profile = connection["profile"]
    assert (profile["name"], profile["email"]) == ("Jane Doe", "jane@example.com")


def test_oidcc_client_test_idtoken_sig_rs256(sign_in: SignIn, suite: ScriptedProvider) -> None:
    assert suite.keys.algorithm == "RS256"
    _assert_accepted(sign_in())


def test_oidcc_client_test_idtoken_sig_none(sign_in: SignIn, suite: ScriptedProvider) -> None:
    # It may be accepted or refused
    suite.script.make_id_token = lambda _keys, claims: unsigned(claims)
    _assert_refused(sign_in())


def test_oidcc_client_test_invalid_sig_rs256(sign_in: SignIn, suite: ScriptedProvider) -> None:
    suite.script.make_id_token = lambda keys, claims: keys.sign(claims)[:-40] + "A" * 40
    _assert_refused(sign_in())


def test_oidcc_client_test_invalid_iss(sign_in: SignIn, suite: ScriptedProvider) -> None:
    suite.script.claims = {"iss": f"{suite.issuer}/another"}
    _assert_refused(sign_in())


def test_oidcc_client_test_invalid_aud(sign_in: SignIn, suite: ScriptedProvider) -> None:
    suite.script.claims = {"aud": "another-client"}
    _assert_refused(sign_in())


def test_oidcc_client_test_missing_sub(sign_in: SignIn, suite: ScriptedProvider) -> None:
    suite.script.claims = {"sub": None}
    _assert_refused(sign_in())


def test_oidcc_client_test_missing_iat(sign_in: SignIn, suite: ScriptedProvider) -> None:
    suite.script.claims = {"iat": None}
    _assert_refused(sign_in())


def test_oidcc_client_test_nonce_invalid(sign_in: SignIn, suite: ScriptedProvider) -> None:
    suite.script.claims = {"nonce": "of-another-sign-in"}
    _assert_refused(sign_in())


def test_oidcc_client_test_kid_absent_single_jwks(sign_in: SignIn, suite: ScriptedProvider) -> None:
    # One key of RSA among keys of other kinds
    others = ECKey.generate_key("P-256", {"kid": "ec"}), OKPKey.generate_key("Ed25519")
    suite.keys.published = [rsa_key(1), *others]
    suite.script.make_id_token = lambda keys, claims: keys.sign(claims, kid=None)
    _assert_accepted(sign_in())


def test_oidcc_client_test_kid_absent_multiple_jwks(
    sign_in: SignIn, suite: ScriptedProvider
) -> None:
    # It may be accepted or refused
    suite.keys.published = [rsa_key(1), rsa_key(2)]
    suite.script.make_id_token = lambda keys, claims: keys.sign(claims, kid=None)
    _assert_refused(sign_in())


def test_oidcc_client_test_userinfo_invalid_sub(sign_in: SignIn, suite: ScriptedProvider) -> None:
    suite.script.user_info = {"sub": "another-user"}
    _assert_refused(sign_in())


# -- Form Post Basic


@pytest.mark.parametrize("response_mode", ["form_post"], indirect=True)
def test_oidcc_client_test_form_post_error(
    http: httpx.Client, browser: httpx.Client, suite: ScriptedProvider, response_mode: str
) -> None:
    # Given a request that no provider can grant: no page may be shown, and the user has to log in
    asked = http.post("/v1/oauth/suite/authorize", json={"max_age": 0, "prompt": "none"})
    answer = suite.consent(asked.json()["authorization_url"])
    assert answer["error"] == "login_required"

    # Then the error is shown, and no code is redeemed
    shown = _bring(browser, answer, response_mode)
    assert_problem(shown, 400, "sign_in_refused")
    assert "login_required" in shown.json()["detail"]
    assert suite.requests_for("/token") == []


# -- Config


@pytest.mark.parametrize("response_mode", ["query"], indirect=True)
def test_oidcc_client_test_discovery_openid_config(
    sign_in: SignIn, suite: ScriptedProvider
) -> None:
    # Of the provider nothing but the issuer is known
    _assert_accepted(sign_in())

    assert len(suite.requests_for("/.well-known/openid-configuration")) == 1
    assert suite.requests_for("/authorize")
    assert suite.requests_for("/userinfo")


@pytest.mark.parametrize("response_mode", ["query"], indirect=True)
def test_oidcc_client_test_discovery_jwks_uri_keys(
    sign_in: SignIn, suite: ScriptedProvider
) -> None:
    suite.script.metadata = {"jwks_uri": f"{suite.issuer}/elsewhere"}
    suite.answer("/elsewhere", suite.paths["/jwks"])

    _assert_accepted(sign_in())

    assert len(suite.requests_for("/elsewhere")) == 1


@pytest.mark.parametrize("response_mode", ["query"], indirect=True)
def test_oidcc_client_test_discovery_issuer_mismatch(
    browser: httpx.Client, suite: ScriptedProvider
) -> None:
    suite.script.metadata = {"issuer": f"{suite.issuer}/another"}

    # Then no sign-in begins
    answer = browser.get("/v1/oauth/suite/login")
    assert_problem(answer, 502, "provider_misbehaved")
    assert "another" in answer.json()["detail"]


@pytest.mark.parametrize("response_mode", ["query"], indirect=True)
def test_oidcc_client_test_signing_key_rotation(sign_in: SignIn, suite: ScriptedProvider) -> None:
    _assert_accepted(sign_in())

    suite.keys.rotate()

    _assert_accepted(sign_in())
    assert len(suite.requests_for("/jwks")) == 2


@pytest.mark.parametrize("response_mode", ["query"], indirect=True)
def test_oidcc_client_test_signing_key_rotation_just_before_signing(
    sign_in: SignIn, suite: ScriptedProvider
) -> None:
    _assert_accepted(sign_in())

    _assert_accepted(sign_in(before_token=suite.keys.rotate))
    assert len(suite.requests_for("/jwks")) == 2


# -- Refresh Token


def _renew(http: httpx.Client, connection: Mapping[str, Any]) -> dict[str, Any]:
    job: dict[str, Any] = http.post(
        f"/v1/connections/{connection['id']}/renew", headers=_WAIT
    ).json()
    return job


def _token(http: httpx.Client, connection: Mapping[str, Any]) -> str:
    token: str = http.get(f"/v1/connections/{connection['id']}/token").json()["access_token"]
    return token


@pytest.mark.parametrize("response_mode", ["query"], indirect=True)
def test_oidcc_client_test_refresh_token(http: httpx.Client, sign_in: SignIn) -> None:
    connection = _assert_accepted(sign_in())
    before = _token(http, connection)

    assert _renew(http, connection)["status"] == "succeeded"

    # Then user info is asked for with the new token
    assert _token(http, connection) != before
    body = {"connection_id": connection["id"]}
    job = http.post("/v1/oauth/suite/user-info", json=body, headers=_WAIT).json()
    assert job["result"]["subject"] == connection["profile"]["subject"]


def _assert_stops(
    http: httpx.Client, sign_in: SignIn, suite: ScriptedProvider, claims: dict[str, Any]
) -> None:
    connection = _assert_accepted(sign_in())
    before, asked = _token(http, connection), len(suite.requests_for("/userinfo"))
    suite.script.claims = claims

    job = _renew(http, connection)

    assert (job["status"], job["error"]["code"]) == ("failed", "identity_refused")
    # The new token is not used
    assert _token(http, connection) == before
    assert len(suite.requests_for("/userinfo")) == asked


@pytest.mark.parametrize("response_mode", ["query"], indirect=True)
def test_oidcc_client_test_refresh_token_invalid_issuer(
    http: httpx.Client, sign_in: SignIn, suite: ScriptedProvider
) -> None:
    _assert_stops(http, sign_in, suite, {"iss": f"{suite.issuer}/another"})


@pytest.mark.parametrize("response_mode", ["query"], indirect=True)
def test_oidcc_client_test_refresh_token_invalid_sub(
    http: httpx.Client, sign_in: SignIn, suite: ScriptedProvider
) -> None:
    _assert_stops(http, sign_in, suite, {"sub": "another-user"})


# -- Third-party-initiated login


@pytest.mark.config(OAuth={"return_to_origins": ["https://app.example"]})
@pytest.mark.parametrize("response_mode", ["query"], indirect=True)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_oidcc_client_test_3rd_party_init_login(
    method: str, browser: httpx.Client, suite: ScriptedProvider
) -> None:
    # Given a page of the provider that opens our initiate_login_uri
    target = "https://app.example/inbox"
    fields = {"iss": suite.issuer, "login_hint": "jane", "target_link_uri": target}
    address = "/v1/oauth/suite/login"
    if method == "GET":
        begun = browser.get(address, params=fields)
    else:
        begun = browser.post(address, data=fields)

    # Then the flow begins, for that user
    assert begun.status_code == 303, begun.text
    assert parse_qs(urlsplit(begun.headers["Location"]).query)["login_hint"] == ["jane"]
    # And ends at the target
    finished = browser.get(_CALLBACK, params=suite.consent(begun.headers["Location"]))
    assert finished.headers["Location"].startswith(f"{target}?connection_id=")
