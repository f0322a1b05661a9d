"""Tests of token revocation by RFC 7009."""

from __future__ import annotations

from typing import Any

import pytest

from actors.errors import AuthError
from actors.providers.errors import ProviderMisbehaved, ProviderRefused, ProviderUnreachable
from actors.providers.protocol.revocation import revoke_token
from catfeeder.sealing import Secret
from tests.actors.providers.built import built
from tests.provider.answers import Answer, html_answer, json_answer, json_text, redirect_answer
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("settings")


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
def test_a_token_is_revoked_with_client_authentication(
    method: Any, provider: ScriptedProvider
) -> None:
    provider.script.client_authentication = method
    grant = provider.grants.begin({})
    token, _ = provider.grants.add_tokens(grant, with_refresh_token=True)

    assert revoke_token(built(provider), Secret(token), "access_token")

    assert not grant.is_alive
    form = provider.requests[0].form
    assert (form["token"], form["token_type_hint"]) == (token, "access_token")


def test_a_token_unknown_to_the_provider_counts_as_revoked(provider: ScriptedProvider) -> None:
    assert revoke_token(built(provider), Secret("unknown"), "refresh_token")

    # Google calls it an error, and better-auth another one
    for answer in (
        {"error": "invalid_token"},
        {"error": "invalid_request", "error_description": "opaque access token not found"},
        {"message": "The token has expired."},
    ):
        provider.answer("/revoke", json_answer(answer, 400), times=1)
        assert revoke_token(built(provider), Secret("unknown"), "refresh_token")


def test_the_published_client_authentication_of_the_revocation_endpoint_is_used(
    provider: ScriptedProvider,
) -> None:
    # Given a provider that takes Basic alone there (RFC 8414), and reads it raw
    basic = {"revocation_endpoint_auth_methods_supported": ["client_secret_basic"]}
    provider.client_secret, provider.script.decodes_basic = "s+/=", False
    found = built(provider, token_endpoint_auth_method="client_secret_post", **basic)

    # Then the secret is sent so, in the form that is taken
    assert revoke_token(found, Secret("token"), "access_token")
    assert [one.form.get("client_secret") for one in provider.requests] == [None, None]

    # But not where the client has none
    public = built(provider, token_endpoint_auth_method="none", **basic)
    assert public.revocation_endpoint_auth_method is None


def test_a_provider_without_an_endpoint_is_not_asked(provider: ScriptedProvider) -> None:
    found = built(provider, revocation_endpoint=None)

    assert not revoke_token(found, Secret("token"), "access_token")
    assert provider.requests == []


@pytest.mark.parametrize(
    ("answer", "error", "sentence"),
    [
        (json_answer({"error": "invalid_client"}, 401), ProviderRefused, "invalid_client"),
        (json_answer({"error": "unsupported_token_type"}, 400), ProviderRefused, "unsupported"),
        (json_answer({"error": {"code": 17}}, 400), ProviderRefused, "17"),
        (
            json_answer({"error": "invalid_request", "message": "token is missing"}, 400),
            ProviderRefused,
            "invalid_request",
        ),
        (json_answer([], 400), ProviderRefused, "status 400"),
        (json_text("[" * 5000, 400), ProviderRefused, "status 400"),
        (html_answer(404), ProviderRefused, "status 404"),
        (Answer(304), ProviderRefused, "status 304"),
        (redirect_answer("https://elsewhere.example"), ProviderMisbehaved, "redirect"),
        (Answer(503), ProviderUnreachable, "503"),
    ],
)
def test_a_failed_token_revocation_raises(
    answer: Answer, error: type[AuthError], sentence: str, provider: ScriptedProvider
) -> None:
    provider.answer("/revoke", answer)

    with pytest.raises(error, match=sentence):
        revoke_token(built(provider), Secret("token"), "access_token")
