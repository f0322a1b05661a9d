"""Tests of presets, and of a provider that is built from merged metadata."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from actors.providers.config.schema.body import ProviderSettings
from actors.providers.errors import ProviderNotConfigured
from actors.providers.http.addresses import check_url
from actors.providers.protocol.issuers import is_issuer_of_answer
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.provider_builder import (
    Credentials,
    build_provider,
    presets,
    with_base_url,
)

ENDPOINTS = {
    "authorization_endpoint": "https://idp.example/authorize",
    "token_endpoint": "https://idp.example/token",
}
TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"


def build(**metadata: Any) -> Provider:
    return build_provider("scripted", {**ENDPOINTS, **metadata}, Credentials("client"))


@pytest.mark.parametrize("preset", presets())
def test_a_preset_has_only_valid_settings(preset: str, settings: object) -> None:
    del settings
    metadata = with_base_url(presets()[preset])

    assert ProviderSettings.model_validate({"preset": preset, **metadata})
    for name, value in metadata.items():
        if name.endswith(("_endpoint", "_uri")):
            check_url(value, frozenset())
            assert urlsplit(value).scheme == "https"


@pytest.mark.parametrize("base_url", ["https://git.example", "https://git.example/"])
def test_a_base_url_fills_in_every_endpoint(base_url: str) -> None:
    # Given GitLab on a server of the operator's own
    known = with_base_url({**presets()["gitlab"], "base_url": base_url})

    # Then no endpoint is left at the usual one, and none is half filled in
    urls = {name: url for name, url in known.items() if name.endswith(("_endpoint", "_uri"))}
    assert len(urls) == 6
    assert all(url.startswith("https://git.example/oauth/") for url in urls.values())
    assert known["issuer"] == "https://git.example"


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint"])
def test_a_missing_endpoint_is_reported(name: str) -> None:
    with pytest.raises(ProviderNotConfigured, match=name):
        build(**{name: ""})


def test_unknown_metadata_is_ignored() -> None:
    assert build(response_types_supported=["code"], client_secret="x").client_secret is None


@pytest.mark.parametrize(
    ("metadata", "method"),
    [
        ({}, "client_secret_basic"),
        ({"token_endpoint_auth_methods_supported": []}, "client_secret_basic"),
        ({"token_endpoint_auth_methods_supported": ["client_secret_post"]}, "client_secret_post"),
        ({"token_endpoint_auth_methods_supported": ["private_key_jwt", "none"]}, "none"),
        (
            {"token_endpoint_auth_methods_supported": ["none", "client_secret_basic"]},
            "client_secret_basic",
        ),
        (
            {
                "token_endpoint_auth_method": "client_secret_post",
                "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            },
            "client_secret_post",
        ),
    ],
)
def test_the_client_authentication_is_chosen(metadata: dict[str, Any], method: str) -> None:
    assert build(**metadata).token_endpoint_auth_method == method


def test_a_provider_without_a_supported_client_authentication_is_refused() -> None:
    with pytest.raises(ProviderNotConfigured, match="client authentication"):
        build(token_endpoint_auth_methods_supported=["private_key_jwt", {}])


@pytest.mark.parametrize(
    ("issuer", "named", "matches"),
    [
        ("https://idp.example", "https://idp.example", True),
        ("https://idp.example", "https://idp.example/", False),
        ("https://idp.example", "https://IDP.example", False),
        ("https://idp.example", "", False),
        ("https://idp.example/{tenantid}/v2.0", f"https://idp.example/{TENANT}/v2.0", True),
        ("https://idp.example/{tenantid}/v2.0", "https://idp.example/x/v2.0", False),
        ("https://idp.example/{tenantid}/v2.0", "https://idp.example/{tenantid}/v2.0", False),
        ("https://idp.example/{tenantid}/v2.0", f"https://evil.example/{TENANT}/v2.0", False),
        ("https://idp.example/{tenantid}/v2.0", TENANT, False),
    ],
)
def test_the_iss_of_an_answer_may_be_of_any_tenant(issuer: str, named: str, matches: bool) -> None:
    assert is_issuer_of_answer(build(issuer=issuer), named) is matches
