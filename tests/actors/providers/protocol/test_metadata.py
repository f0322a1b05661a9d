"""Tests of issuer metadata: accepted only from the issuer itself and in the right types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.errors import AuthError
from actors.providers.errors import AddressForbidden, ProviderMisbehaved, ProviderRefused
from actors.providers.protocol.metadata import fetch_metadata
from tests.actors.providers.any_json import any_json
from tests.provider.answers import Answer, html_answer, json_answer
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("settings")

WELL_KNOWN = "/.well-known/openid-configuration"
SENDS_ISS = "authorization_response_iss_parameter_supported"


def test_metadata_is_reduced_to_the_used_members(provider: ScriptedProvider) -> None:
    provider.script.sends_iss = True

    assert fetch_metadata(provider.issuer) == {
        "issuer": provider.issuer,
        **provider.addresses(),
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "authorization_response_iss_parameter_supported": True,
    }


def test_an_issuer_with_a_path_publishes_below_it(provider: ScriptedProvider) -> None:
    for issuer in (f"{provider.issuer}/realms/a", f"{provider.issuer}/realms/a/"):
        provider.script.metadata = {"issuer": issuer}
        provider.answer(f"/realms/a{WELL_KNOWN}", provider.paths[WELL_KNOWN])

        assert fetch_metadata(issuer)["issuer"] == issuer


@pytest.mark.parametrize("issuer", ["https://evil.example", "", None, 5, "{issuer}/"])
def test_metadata_of_another_issuer_is_refused(issuer: Any, provider: ScriptedProvider) -> None:
    if isinstance(issuer, str):
        issuer = issuer.replace("{issuer}", provider.issuer)
    provider.script.metadata = {"issuer": issuer}

    # Both are named, for the operator to compare
    named = issuer if str(issuer).startswith("http") else "(not a URL)"
    sentence = f"at the issuer {provider.issuer} names another issuer: {named}."
    with pytest.raises(ProviderMisbehaved, match=re.escape(sentence)):
        fetch_metadata(provider.issuer)


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize("url", [None, ["https://idp.example/"]], ids=["missing", "list"])
def test_a_required_endpoint_must_be_a_text(
    name: str, url: Any, provider: ScriptedProvider
) -> None:
    provider.script.metadata = {name: url}

    with pytest.raises(ProviderMisbehaved, match=f"no {name}" if url is None else name):
        fetch_metadata(provider.issuer)


REQUIRED = ["authorization_endpoint", "token_endpoint", "jwks_uri"]
OPTIONAL = ["userinfo_endpoint", "revocation_endpoint"]
ENDPOINTS = [*REQUIRED, *OPTIONAL]
FORBIDDEN = [
    *("http://169.254.169.254/latest/meta-data", "http://127.0.0.1:1/token"),
    *("http://idp.example/token", "javascript:alert(document.cookie)", "file:///etc/passwd"),
    *("https://user:password@idp.example/", "https://127.0.0.1/", "https://localhost/"),
    *("https://idp.example/\r\nX: y", ""),
]


@pytest.mark.parametrize("name", OPTIONAL)
@pytest.mark.parametrize("url", [*FORBIDDEN, "urn:none", ["https://idp.example/"], 5, False, {}])
def test_an_optional_endpoint_that_cannot_be_used_is_left_out(
    url: Any, name: str, provider: ScriptedProvider
) -> None:
    provider.script.metadata = {name: url}

    found = fetch_metadata(provider.issuer)

    # Then the provider is usable, and all else is as published
    assert set(found) & set(ENDPOINTS) == set(ENDPOINTS) - {name}


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("url", FORBIDDEN)
def test_a_forbidden_endpoint_is_refused(url: str, name: str, provider: ScriptedProvider) -> None:
    provider.script.metadata = {name: url}

    with pytest.raises(AddressForbidden, match=f"a {name} that"):
        fetch_metadata(provider.issuer)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("token_endpoint_auth_methods_supported", "client_secret_basic"),
        ("token_endpoint_auth_methods_supported", 5),
        ("authorization_response_iss_parameter_supported", "false"),
        ("authorization_response_iss_parameter_supported", 0),
    ],
)
def test_an_ability_of_a_wrong_type_is_left_out(
    name: str, value: Any, provider: ScriptedProvider
) -> None:
    provider.script.metadata = {name: value}

    assert name not in fetch_metadata(provider.issuer)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (json_answer([]), ProviderMisbehaved),
        (html_answer(), ProviderMisbehaved),
        (Answer(404), ProviderRefused),
    ],
)
def test_an_unusable_document_is_refused(
    answer: Answer, error: type[AuthError], provider: ScriptedProvider
) -> None:
    provider.answer(WELL_KNOWN, answer)

    with pytest.raises(error):
        fetch_metadata(provider.issuer)


_JSON = any_json()
_MEMBERS = st.sampled_from(
    [*ENDPOINTS, "issuer", "token_endpoint_auth_methods_supported", SENDS_ISS]
)


@settings(max_examples=50)
@given(metadata=st.dictionaries(_MEMBERS, _JSON, min_size=1))
def test_any_document_is_metadata_or_a_typed_error(
    metadata: dict[str, Any], provider: ScriptedProvider
) -> None:
    provider.script.metadata = metadata
    try:
        found: Mapping[str, Any] = fetch_metadata(provider.issuer)
    except AuthError as error:
        error.detail.encode()
    else:
        assert all(isinstance(found[name], str) for name in ENDPOINTS if name in found)
