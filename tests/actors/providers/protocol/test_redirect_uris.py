"""Tests of redirect URIs: one for all providers, or one each."""

from __future__ import annotations

from typing import Any

import pytest

from actors.providers.protocol.redirect_uris import own_redirect_uri, redirect_uri_of
from tests.actors.providers.built import built
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("settings")

_CALLBACK = "http://127.0.0.1:5000/v1/oauth/callback"


def test_providers_share_one_redirect_uri_where_that_is_set(provider: ScriptedProvider) -> None:
    assert redirect_uri_of(built(provider)) == _CALLBACK


class TestPathPerProvider:
    """A service whose config.toml says nothing of it, as a new one."""

    @pytest.fixture
    def toml_conf(self, toml_conf: dict[str, Any]) -> dict[str, Any]:
        """config.toml leaves it out."""
        return {**toml_conf, "OAuth": {}}

    def test_a_provider_without_iss_has_its_own_redirect_uri(
        self, provider: ScriptedProvider
    ) -> None:
        assert redirect_uri_of(built(provider)) == f"{_CALLBACK}/scripted"

    def test_a_provider_with_iss_shares_the_redirect_uri(self, provider: ScriptedProvider) -> None:
        named = built(provider, authorization_response_iss_parameter_supported=True)
        assert redirect_uri_of(named) == _CALLBACK


class TestPublicAddress:
    """A service behind a proxy."""

    @pytest.fixture(params=["/cb", "/cb/", "/cb?tenant=a"])
    def environment(
        self, environment: dict[str, str], request: pytest.FixtureRequest
    ) -> dict[str, str]:
        """REDIRECT_URI is set, in one way or another."""
        return {**environment, "REDIRECT_URI": f"https://auth.example.com{request.param}"}

    def test_an_own_redirect_uri_is_a_path_below_the_shared_one(self) -> None:
        url = own_redirect_uri("github")
        assert url.partition("?")[0] == "https://auth.example.com/cb/github"
