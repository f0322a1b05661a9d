"""The documentation's examples of OAuth, as an app would hold them, with a real provider."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI, Request

from actors.oauth import OAuthAuthentication
from actors.providers.config.settings import put_provider
from catfeeder.clock import utc_now
from config import Settings
from tests.examples.calls import call
from tests.oidc_provider import OidcProvider, running_oidc_provider

SUCCESS = 0
ERROR = 84


@pytest.fixture(scope="module")
def oidc_provider() -> Iterator[OidcProvider]:
    """A provider that lets everybody in."""
    with running_oidc_provider() as provider:
        yield provider


@pytest.fixture
def provider(oidc_provider: OidcProvider, tables: Settings) -> OidcProvider:
    """The same, as the operator has configured it under the name `house`."""
    assert oidc_provider.host in tables.allowed_private_hosts
    credentials = {"client_id": "app", "client_secret": "a-client-secret"}
    put_provider("house", {"issuer": oidc_provider.issuer, **credentials}, utc_now())
    return oidc_provider


@pytest.fixture
def environment(environment: dict[str, str], oidc_provider: OidcProvider) -> dict[str, str]:
    """The environment, in which the provider is the one private host that may be called."""
    return {**environment, "OAUTH_ALLOWED_PRIVATE_HOSTS": oidc_provider.host}


@pytest.mark.usefixtures("provider")
def test_example_3_an_authorization_url() -> None:
    oauth = OAuthAuthentication(success=SUCCESS, error=ERROR, debug=False)

    auth_url = oauth._generate_oauth_authorization_url("house")
    if isinstance(auth_url, int):
        pytest.fail("Failed to generate authorization URL")

    query = parse_qs(urlsplit(auth_url).query)
    assert query["response_type"] == ["code"]
    assert query["client_id"] == ["app"]
    assert query["state"][0].split(":")[-1] == "house"


def test_example_4_a_callback_handler(provider: OidcProvider) -> None:
    oauth = OAuthAuthentication(success=SUCCESS, error=ERROR, debug=False)
    app = FastAPI()

    @app.get("/callback")
    def oauth_callback(request: Request) -> dict[str, Any]:
        code = request.query_params["code"]
        state = request.query_params["state"]
        provider = state.split(":")[-1]

        token_response = oauth._exchange_code_for_token(provider, code, state)
        if isinstance(token_response, int):
            return {"error": "Failed to exchange code for token"}

        access_token = token_response["access_token"]
        user_info = oauth._get_user_info_from_provider(provider, access_token)
        if isinstance(user_info, int):
            return {"error": "Failed to get user info"}
        return {"user": user_info}

    # Given a user who has consented
    provider.describe_user("cat", email="cat@example.com", name="The Cat")
    auth_url = oauth._generate_oauth_authorization_url("house")
    assert isinstance(auth_url, str)
    query = provider.consent(auth_url, user="cat")
    # When the provider sends them back
    user = call(app, "GET", "/callback", **query).json()["user"]
    # Then the app knows them
    assert (user["provider"], user["subject"]) == ("house", "cat")
    # And the same address, opened again, signs nobody in
    again = call(app, "GET", "/callback", **query)
    assert again.json() == {"error": "Failed to exchange code for token"}


def test_example_4_a_token_is_refreshed(provider: OidcProvider) -> None:
    oauth = OAuthAuthentication(success=SUCCESS, error=ERROR, debug=False)
    auth_url = oauth._generate_oauth_authorization_url("house")
    assert isinstance(auth_url, str)
    query = provider.consent(auth_url, user="cat")
    token_response = oauth._exchange_code_for_token("house", query["code"], query["state"])
    assert isinstance(token_response, dict)

    new_token = oauth._refresh_oauth_token("house", token_response["refresh_token"])

    assert isinstance(new_token, dict)
    assert new_token["access_token"] != token_response["access_token"]


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize("name", ["house", "unknown", ""])
def test_error_handling_every_method_returns_an_int_on_failure(name: str) -> None:
    oauth = OAuthAuthentication(success=SUCCESS, error=ERROR, debug=False)

    results: list[object] = [
        oauth._exchange_code_for_token(name, "invalid_code"),
        oauth._exchange_code_for_token(name, "invalid_code", f"invalid_state:{name}"),
        oauth._refresh_oauth_token(name, "invalid_refresh_token"),
        oauth._get_user_info_from_provider(name, "invalid_access_token"),
    ]
    if name != "house":
        results.append(oauth._generate_oauth_authorization_url(name))

    assert results == [84] * len(results)


@pytest.mark.usefixtures("tables")
def test_error_handling_the_status_is_the_one_that_was_asked_for() -> None:
    oauth = OAuthAuthentication(success=1, error=-1, debug=False)
    assert oauth._generate_oauth_authorization_url("unknown") == -1
