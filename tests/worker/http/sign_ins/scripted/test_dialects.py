"""Sign-ins and renewals with providers that take token requests in their own way alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import pytest

from tests.provider.clients import client_key_pem
from tests.provider.dialects import Dialect, Exchange
from tests.provider.script import Script
from tests.scripted_provider import ScriptedProvider
from tests.worker.http.answers import assert_problem
from tests.worker.http.sign_ins.scripted.conftest import begin

_POST: Final = {"token_endpoint_auth_method": "client_secret_post"}
_ID, _SECRET = ScriptedProvider.client_id, "client-secret-of-tests"


@dataclass(frozen=True)
class Case:
    """What a provider demands, and the settings that meet it; `{issuer}` is where it is."""

    settings: dict[str, Any]
    dialect: Dialect = field(default_factory=Dialect)
    script: dict[str, Any] = field(default_factory=dict)


_CASES: Final[dict[str, Case]] = {
    "json": Case({"token_request_format": "json"}, Dialect(format="json")),
    "query by GET": Case(
        {"token_request_format": "query", "token_request_method": "GET"},
        Dialect(format="query", method="GET"),
    ),
    "query by POST": Case({"token_request_format": "query"}, Dialect(format="query")),
    "further parameters and headers": Case(
        {
            "token_parameters": {"type": "web_server", "kind": "a {client_id}"},
            "refresh_parameters": {"type": "refresh", "expiring": "{token.shop}"},
            "token_headers": {"X-Api-Version": "2", "Api-Key": "{client_secret}"},
            "metadata": ["shop"],
        },
        Dialect(
            parameters={"type": "web_server", "kind": f"a {_ID}"},
            refresh_parameters={"type": "refresh", "expiring": "cats"},
            headers={"x-api-version": "2", "api-key": _SECRET},
        ),
        {"token_members": {"shop": "cats"}},
    ),
    "refresh endpoint": Case(
        {"refresh_endpoint": "{issuer}/token/refresh"}, Dialect(refresh_path="/token/refresh")
    ),
    "names of its own": Case(
        {
            "parameter_names": {
                "client_id": "app_id",
                "redirect_uri": "redirect_url",
                "scope": "perms",
            },
            "token_parameter_names": {
                "client_id": "appKey",
                "client_secret": "secret",
                "code": "auth_code",
                "refresh_token": "refreshToken",
                "grant_type": "",
                "redirect_uri": "target",
            },
            **_POST,
        },
        Dialect(
            names={
                "client_id": "appKey",
                "client_secret": "secret",
                "code": "auth_code",
                "refresh_token": "refreshToken",
                "grant_type": "",
                "redirect_uri": "target",
            },
            authorization_names={
                "client_id": "app_id",
                "redirect_uri": "redirect_url",
                "scope": "perms",
            },
        ),
        {"client_authentication": "client_secret_post"},
    ),
    "another grant, and the secret as an assertion": Case(
        {
            "response_type": "Assertion",
            "token_parameter_names": {
                "client_id": "",
                "client_secret": "client_assertion",
                "code": "assertion",
            },
            "token_parameters": {"grant_type": "urn:example:jwt-bearer", "resource": "a"},
            "refresh_parameters": {"resource": "a"},
            **_POST,
        },
        Dialect(
            response_type="Assertion",
            names={"client_id": "", "client_secret": "client_assertion", "code": "assertion"},
            parameters={"grant_type": "urn:example:jwt-bearer", "resource": "a"},
            refresh_parameters={"resource": "a"},
            implied={"client_id": _ID},
        ),
        {"client_authentication": "client_secret_post"},
    ),
    "code and state by other names": Case(
        {"code_parameter": "authCode", "parameter_names": {"state": "custom"}},
        Dialect(
            authorization_names={"state": "custom"},
            callback_names={"code": "authCode", "state": "custom"},
        ),
    ),
    "a parameter of the callback repeated": Case(
        {
            "callback_parameters": ["device_id"],
            "refresh_parameters": {"device_id": "{token.device_id}"},
        },
        Dialect(
            callback={"device_id": "cat-flap"},
            parameters={"device_id": "cat-flap"},
            refresh_parameters={"device_id": "cat-flap"},
        ),
    ),
    "nested members of other names": Case(
        {
            "token_response_paths": {
                "access_token": "data.tokens.0.accessToken",
                "refresh_token": "data.refresh",
                "expires_in": "data.ttl",
                "scope": "data.granted",
            },
            "scope_separator": ";",
        },
        Dialect(
            answer=lambda members: (
                {
                    "code": 0,
                    "access_token": {"of": "another kind"},
                    "data": {
                        "tokens": [{"accessToken": members["access_token"]}],
                        "refresh": members.get("refresh_token"),
                        "ttl": members["expires_in"],
                        "granted": members["scope"],
                    },
                }
                if "access_token" in members
                else members
            )
        ),
        {"granted_scope": "read write", "scope_separator": ";"},
    ),
    "PKCE by plain": Case(
        {"code_challenge_method": "plain"}, script={"challenge_methods": ("plain",)}
    ),
    **{
        f"client by {method}": Case(
            {"token_endpoint_auth_method": method}, script={"client_authentication": method}
        )
        for method in ("secret_as_basic_username", "secret_as_bearer")
    },
    "assertion of another issuer": Case(
        {
            "token_endpoint_auth_method": "private_key_jwt",
            "private_key": client_key_pem(),
            "key_id": "KEY1234567",
            "client_assertion_issuer": "app.example.com",
            "client_assertion_audience": "https://bank.example",
        },
        script={
            "client_authentication": "private_key_jwt",
            "assertion_issuer": "app.example.com",
            "assertion_audience": "https://bank.example",
        },
    ),
}


def _configure(http: httpx.Client, provider: ScriptedProvider, settings: dict[str, Any]) -> None:
    whole: dict[str, Any] = {
        **provider.addresses(),
        **provider.credentials(),
        "scopes": ["read", "write"],
        "profile": {"subject": "sub"},
        "token_endpoint_auth_method": "client_secret_basic",
        **settings,
    }
    filled = {
        name: value.replace("{issuer}", provider.issuer) if isinstance(value, str) else value
        for name, value in whole.items()
    }
    answer = http.put("/v1/providers/house", json=filled)
    assert answer.status_code in (200, 201), answer.text


def _sign_in(browser: httpx.Client, provider: ScriptedProvider) -> httpx.Response:
    try:
        back = provider.consent(begin(browser, "house"))
    except AssertionError:
        return httpx.Response(502)  # The provider shows an error in place of its page.
    return browser.get("/v1/oauth/callback", params=back)


def _renew(http: httpx.Client, path: str) -> dict[str, Any]:
    """Renew the connection at a path, and return the job."""
    return dict(http.post(f"{path}/renew", headers={"Prefer": "wait=20"}).json())


@pytest.mark.parametrize("name", _CASES)
def test_a_provider_is_asked_as_it_demands(
    name: str, http: httpx.Client, browser: httpx.Client, honest: ScriptedProvider
) -> None:
    # Given a provider that refuses every other request
    case = _CASES[name]
    honest.script = Script(dialect=case.dialect, **case.script)
    _configure(http, honest, case.settings)

    # When a user signs in, and the token is renewed
    connection = _sign_in(browser, honest)
    assert connection.status_code == 200, connection.text
    assert connection.json()["scope"] == "read write"
    path = f"/v1/connections/{connection.json()['id']}"
    renewed = _renew(http, path)
    assert renewed["status"] == "succeeded", renewed

    # Then it has the provider's second token
    token = http.get(f"{path}/token").json()["access_token"]
    assert token.startswith("access-2-")

    # And without the settings it refuses the one or the other
    _configure(http, honest, {})
    again = _sign_in(browser, honest)
    assert again.status_code >= 400 or _renew(http, path)["status"] == "failed"


_EXCHANGE: Final = {"grant_type": "ig_exchange_token", "method": "GET"}


def test_a_long_lived_token_is_exchanged_and_renewed_by_data(
    http: httpx.Client, browser: httpx.Client, honest: ScriptedProvider
) -> None:
    # Given a provider as Instagram is: both exchanges by GET, each with a grant of its own
    honest.script = Script(
        gives_refresh_token=False,
        expires_in=None,
        exchanges=(
            Exchange(
                "/exchange", "GET", "ig_exchange_token", parameters={"client_secret": _SECRET}
            ),
            Exchange("/exchange/again", "GET", "ig_refresh_token"),
        ),
    )
    secret = {"client_secret": "{client_secret}"}
    exchange = {**_EXCHANGE, "endpoint": f"{honest.issuer}/exchange", "parameters": secret}
    settings = {
        "long_lived_token": exchange,
        "renewal": "access_token",
        "refresh_endpoint": f"{honest.issuer}/exchange/again",
        "refresh_parameters": {"grant_type": "ig_refresh_token"},
    }
    _configure(http, honest, settings)

    # When a user signs in, then the connection has the longer-lived token
    path = f"/v1/connections/{_sign_in(browser, honest).json()['id']}"
    assert http.get(f"{path}/token").json()["access_token"].startswith("access-2-")

    # And it is renewed by the exchange of that token
    renewed = _renew(http, path)
    assert renewed["status"] == "succeeded", renewed
    assert http.get(f"{path}/token").json()["access_token"].startswith("access-3-")


def test_an_answer_without_its_state_is_refused_whatever_the_code_is_called(
    http: httpx.Client, browser: httpx.Client, honest: ScriptedProvider
) -> None:
    honest.script = Script(
        dialect=Dialect(callback_names={"code": "authCode"}, callback={"other": "x"})
    )
    _configure(http, honest, {"code_parameter": "authCode"})
    back = honest.consent(begin(browser, "house"))

    # No state, one under a name that was not agreed on, and two codes
    for asked in (
        {"authCode": back["authCode"]},
        {"authCode": back["authCode"], "custom": back["state"]},
    ):
        answer = browser.get("/v1/oauth/callback", params=asked)
        assert_problem(answer, 400, "state_missing" if len(asked) == 1 else "state_unknown")
    twice: Any = [("authCode", "a"), ("authCode", "b"), ("state", back["state"])]
    answer = browser.get("/v1/oauth/callback", params=twice)
    assert_problem(answer, 400, "parameters_invalid")
    assert honest.requests_for("/token") == []
