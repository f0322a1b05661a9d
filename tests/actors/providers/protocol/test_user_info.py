"""Tests of user info: quirks of providers, merging with the id_token, unusable answers."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from actors.errors import (
    IdTokenInvalid,
    ProviderMisbehaved,
    ProviderNotConfigured,
    ProviderRefused,
    ProviderUnreachable,
    TokenInvalid,
)
from actors.providers.protocol.user_info import fetch_profile
from catfeeder.sealing import Secret
from tests.actors.providers.built import built, built_preset
from tests.provider.answers import Answer, json_answer, json_text
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("settings")


def token_of(provider: ScriptedProvider) -> Secret:
    """Return an access token that the provider knows."""
    grant = provider.grants.begin({"scope": "openid"})
    return Secret(provider.grants.add_tokens(grant, with_refresh_token=False)[0])


def test_the_token_is_sent_in_the_header_only(provider: ScriptedProvider) -> None:
    token = token_of(provider)

    fetch_profile(built(provider), token)

    (request,) = provider.requests
    assert request.headers["authorization"] == f"Bearer {token.reveal()}"
    assert token.reveal() not in str(request.query)


def test_facebook_receives_a_proof_of_the_secret(provider: ScriptedProvider) -> None:
    token, found = token_of(provider), built_preset(provider, "facebook")

    fetch_profile(found, token)

    secret = provider.client_secret.encode()
    proof = hmac.new(secret, token.reveal_bytes(), hashlib.sha256).hexdigest()
    query = provider.requests[0].query
    assert query == {"fields": "id,name,email,picture", "appsecret_proof": proof}


@pytest.mark.parametrize("status", [403, 404])
def test_a_github_app_without_permission_for_addresses_signs_in(
    status: int, provider: ScriptedProvider
) -> None:
    found = built_preset(provider, "github")
    provider.answer("/user/emails", json_answer({"message": "Not Found"}, status))

    profile = fetch_profile(found, token_of(provider))

    # The public address is unverified
    assert (profile["email"], profile["email_verified"]) == ("public@example.com", None)


@pytest.mark.parametrize(
    "entries",
    [
        [],
        {},
        ["jane@example.com"],
        [{"email": "jane@example.com", "primary": True, "verified": False}],
        [{"email": "jane@example.com", "primary": False, "verified": True}],
        [{"primary": True, "verified": True}],
    ],
)
def test_of_githubs_addresses_the_primary_and_verified_one_counts(
    entries: Any, provider: ScriptedProvider
) -> None:
    found = built_preset(provider, "github")
    provider.answer("/user/emails", json_answer(entries))

    profile = fetch_profile(found, token_of(provider))

    assert (profile["email"], profile["email_verified"]) == (None, None)


def test_an_outage_of_githubs_addresses_is_reported(provider: ScriptedProvider) -> None:
    found = built_preset(provider, "github")
    provider.answer("/user/emails", Answer(503))

    with pytest.raises(ProviderUnreachable):
        fetch_profile(found, token_of(provider))


# -- Beside an id_token


def test_user_info_of_another_subject_is_refused(provider: ScriptedProvider) -> None:
    for subject in ("another", "", None, ["248289761001"]):
        with pytest.raises(IdTokenInvalid, match="another subject"):
            fetch_profile(built(provider), token_of(provider), {"sub": subject or "x"})


def test_user_info_without_a_subject_is_refused(provider: ScriptedProvider) -> None:
    provider.script.user_info = {"sub": None}

    with pytest.raises(IdTokenInvalid):
        fetch_profile(built(provider), token_of(provider), {"sub": "248289761001"})


def test_a_subject_may_be_a_number_in_either(provider: ScriptedProvider) -> None:
    provider.script.user_info = {"sub": 248289761001}

    profile = fetch_profile(built(provider), token_of(provider), {"sub": "248289761001"})

    assert profile["subject"] == "248289761001"


def test_the_id_token_completes_user_info(provider: ScriptedProvider) -> None:
    provider.script.user_info = {"name": None, "picture": None}
    claims = {
        "sub": "248289761001",
        "name": "Jane of the token",
        "exp": 5,
        "nonce": "n",
        "aud": "a",
    }

    profile = fetch_profile(built(provider), token_of(provider), claims)

    assert profile["name"] == "Jane of the token"
    # Without the claims about the token itself
    assert set(profile["raw"]) == {"sub", "name", "email", "email_verified"}


def test_without_user_info_the_id_token_is_the_profile(provider: ScriptedProvider) -> None:
    found = built(provider, userinfo_endpoint=None)
    claims = {"sub": "1", "email": "jane@example.com", "email_verified": "true", "iss": "x"}

    profile = fetch_profile(found, Secret("unused"), claims)

    assert (profile["email"], profile["email_verified"]) == ("jane@example.com", True)
    assert "iss" not in profile["raw"]
    with pytest.raises(ProviderNotConfigured, match="userinfo_endpoint"):
        fetch_profile(found, Secret("unused"))


@pytest.mark.parametrize(
    "user_info",
    [
        {"email": "ceo@example.com", "email_verified": None},
        {"email": None, "email_verified": True},
    ],
)
def test_email_verified_counts_for_its_own_address_only(
    user_info: dict[str, Any], provider: ScriptedProvider
) -> None:
    # Given an id_token with a verified address, and user info with another or half of one
    provider.script.user_info = user_info
    claims = {"sub": "248289761001", "email": "jane@example.com", "email_verified": True}
    if user_info["email"] is None:
        claims["email_verified"] = False

    profile = fetch_profile(built(provider), token_of(provider), claims)

    # Then the merged address is neither verified nor unverified
    assert profile["email"] == user_info["email"]
    assert profile["email_verified"] is None


# -- Unusable tokens and answers


@pytest.mark.parametrize(
    "text", ["", "a\nb", "a\r\nX-Injected: yes", "caf\u00e9", "\u20ac", "\ud800"]
)
def test_an_invalid_access_token_is_never_sent(text: str, provider: ScriptedProvider) -> None:
    with pytest.raises(TokenInvalid):
        fetch_profile(built(provider), Secret(text))

    assert provider.requests == []


def test_a_rejected_access_token_is_a_refusal(
    provider: ScriptedProvider,
) -> None:
    with pytest.raises(ProviderRefused, match="status 401") as refusal:
        fetch_profile(built(provider), Secret("unknown"))
    assert refusal.value.permanent


@pytest.mark.parametrize("answer", [json_answer([]), json_answer("x"), json_text("")])
def test_user_info_that_is_not_an_object_is_refused(
    answer: Answer, provider: ScriptedProvider
) -> None:
    provider.answer("/userinfo", answer)

    with pytest.raises(ProviderMisbehaved):
        fetch_profile(built(provider), token_of(provider))
