"""Tests of looking a provider up: what overrides what, and where credentials come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.providers.config.discovery import discover
from actors.providers.config.lookup import find_provider, issuer_to_discover, provider_row
from actors.providers.config.settings import put_provider
from actors.providers.errors import DiscoveryNeeded, ProviderNotConfigured, ProviderUnknown
from catfeeder.sealing import Secret
from tests.actors.sign_ins import NAME, now
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")

PLAIN = {
    "authorization_endpoint": "https://idp.example/authorize",
    "token_endpoint": "https://idp.example/token",
    "userinfo_endpoint": "https://idp.example/userinfo",
}


@pytest.mark.usefixtures("database")
def test_a_provider_is_found_by_its_name_alone() -> None:
    put_provider(NAME, {**PLAIN, "client_id": "client", "client_secret": "secret"}, now())

    found = find_provider(NAME)

    assert (found.name, found.client_id, found.client_secret) == (NAME, "client", Secret("secret"))
    for name in ("other", "", "a\0b", "\ud800"):
        with pytest.raises(ProviderUnknown):
            find_provider(name)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "google",
            (
                "No provider named google is configured: set GOOGLE_CLIENT_ID and "
                "GOOGLE_CLIENT_SECRET and restart, or PUT /v1/providers/google."
            ),
        ),
        (
            "apple",
            (
                "No provider named apple is configured: set APPLE_CLIENT_ID and APPLE_TEAM_ID and "
                "APPLE_KEY_ID and APPLE_PRIVATE_KEY and restart, or PUT /v1/providers/apple."
            ),
        ),
        (
            "my-house",
            (
                "No provider named my-house is configured: PUT /v1/providers/my-house with its "
                "issuer or a preset, its client_id and its client_secret."
            ),
        ),
        ("My House", "No provider can have this name: lower case letters, digits, - and _, 64 "),
    ],
)
def test_a_provider_that_is_not_there_is_reported_with_the_remedy(name: str, sentence: str) -> None:
    with pytest.raises(ProviderUnknown) as refusal:
        provider_row(name)
    assert refusal.value.detail.startswith(sentence)


@pytest.mark.parametrize(
    ("lacking", "variable"),
    [("client_secret", "HOUSE_CLIENT_SECRET"), ("key_id", "HOUSE_KEY_ID"), ("jwks_uri", None)],
)
def test_a_setting_that_is_missing_is_named_with_its_variable(
    lacking: str, variable: str | None
) -> None:
    detail = ProviderNotConfigured.lacks("house", lacking).detail
    assert f"has no {lacking}" in detail
    assert "PATCH /v1/providers/house" in detail
    assert (variable or "set ") in detail or variable is None


def test_settings_override_issuer_metadata_and_presets(provider: ScriptedProvider) -> None:
    # Given an issuer that publishes all its endpoints, one of which the operator overrules
    own = f"{provider.issuer}/own"
    body = {"issuer": provider.issuer, "client_id": "a", "userinfo_endpoint": own}
    put_provider(NAME, body, now())
    discover(NAME, now())

    found = find_provider(NAME)
    assert found.userinfo_endpoint == own
    assert found.token_endpoint == f"{provider.issuer}/token"

    # And a preset, of which the operator overrules one
    put_provider(NAME, {"preset": "google", "client_id": "a", "scopes": ["openid"]}, now())
    found = find_provider(NAME)
    assert found.scopes == ("openid",)
    assert found.token_endpoint == "https://oauth2.googleapis.com/token"


@pytest.mark.parametrize(
    ("body", "is_needed"),
    [
        ({"issuer": "https://idp.example"}, True),
        ({"issuer": "https://idp.example", "token_endpoint": "https://idp.example/t"}, True),
        # An id_token is expected, and jwks_uri is missing
        ({"issuer": "https://idp.example", **PLAIN}, True),
        ({"issuer": "https://idp.example", **PLAIN, "scopes": ["openid"]}, True),
        ({"issuer": "https://idp.example", **PLAIN, "jwks_uri": "https://idp.example/k"}, False),
        ({"issuer": "https://idp.example", **PLAIN, "scopes": ["profile"]}, False),
        (PLAIN, False),
        ({"preset": "google"}, False),
        ({"preset": "google", "issuer": "https://idp.example"}, False),
    ],
)
def test_an_issuer_is_asked_for_missing_metadata_only(
    body: dict[str, Any], is_needed: bool
) -> None:
    put_provider(NAME, {**body, "client_id": "client"}, now())

    assert (issuer_to_discover(provider_row(NAME)) is not None) is is_needed
    if is_needed:
        with pytest.raises(DiscoveryNeeded):
            find_provider(NAME)
    else:
        assert find_provider(NAME)


def test_stored_credentials_override_the_environment(environment: dict[str, str]) -> None:
    environment |= {"SCRIPTED_CLIENT_ID": "env-id", "SCRIPTED_CLIENT_SECRET": "env-secret"}

    put_provider(NAME, PLAIN, now())
    found = find_provider(NAME)
    assert (found.client_id, found.client_secret) == ("env-id", Secret("env-secret"))

    put_provider(NAME, {**PLAIN, "client_id": "own", "client_secret": "own-secret"}, now())
    found = find_provider(NAME)
    assert (found.client_id, found.client_secret) == ("own", Secret("own-secret"))


def test_an_unreadable_secret_file_is_an_error_of_its_provider(
    environment: dict[str, str], tmp_path: Path
) -> None:
    environment |= {
        "SCRIPTED_CLIENT_ID": "client",
        "SCRIPTED_CLIENT_SECRET_FILE": str(tmp_path / "missing"),
    }
    put_provider(NAME, PLAIN, now())

    with pytest.raises(ProviderNotConfigured, match="SCRIPTED_CLIENT_SECRET_FILE"):
        find_provider(NAME)


def test_the_repr_of_a_provider_hides_its_secret() -> None:
    put_provider(NAME, {**PLAIN, "client_id": "client", "client_secret": "canary"}, now())

    assert "canary" not in repr(find_provider(NAME))
