"""Tests of the provider check: each mistake is reported with its remedy."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import config
from actors.providers.config.checks.check import check_provider
from actors.providers.config.settings import patch_provider, put_provider
from tests.actors.providers.any_json import any_json
from tests.actors.sign_ins import NAME, configure, configure_plain, configure_preset, now, sign_in
from tests.provider.answers import Answer, json_answer
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")


def details() -> dict[str, str]:
    """Return what each check has found."""
    return {finding["check"]: finding["detail"] for finding in check_provider(NAME)["findings"]}


def faults() -> dict[str, str]:
    """Return the failed checks, each with its remedy."""
    report = check_provider(NAME)
    found = [finding for finding in report["findings"] if not finding["is_ok"]]
    assert report["provider"] == NAME
    assert report["is_ok"] == (not found)
    assert all(finding["remedy"] for finding in found)
    assert all(finding["detail"] for finding in report["findings"])
    return {finding["check"]: finding["remedy"] or "" for finding in found}


def test_a_complete_provider_has_no_faults(provider: ScriptedProvider) -> None:
    configure(provider)

    assert faults() == {}
    checks = {finding["check"] for finding in check_provider(NAME)["findings"]}
    assert {"credentials", "redirect_uri", "discovery", "pkce", "renewal"} <= checks


def test_the_presets_have_no_faults_of_their_own(provider: ScriptedProvider) -> None:
    for preset in ("facebook", "github", "x", "microsoft"):
        configure_preset(provider, preset)
        assert faults() == {}


def test_missing_credentials_are_reported(provider: ScriptedProvider) -> None:
    configure(provider, client_secret=None)
    assert list(faults()) == ["credentials"]

    configure(provider, client_id=None)
    assert list(faults()) == ["configuration"]


def test_a_public_client_needs_pkce(provider: ScriptedProvider) -> None:
    provider.script.metadata = {"token_endpoint_auth_methods_supported": ["none"]}
    public = {"client_secret": None, "token_endpoint_auth_method": "none"}
    configure(provider, **public)
    assert faults() == {}

    provider.script.metadata |= {"code_challenge_methods_supported": None}
    configure(provider, **public, code_challenge_method="none")
    assert "S256" in faults()["credentials"]


def test_a_provider_that_identifies_no_user_is_reported(provider: ScriptedProvider) -> None:
    # Given a provider of plain OAuth 2.0, which gives no id_token
    configure_plain(provider)
    assert faults() == {}
    # When its issuer turns out to have no user info either
    provider.script.metadata = {"userinfo_endpoint": None}
    configure(provider, scopes=["profile"])
    # Then that is reported before a first user signs in in vain
    assert "userinfo_endpoint" in faults()["identity"]
    # And a provider may name no users, or in its token answer, as that of a Slack app does
    configure_plain(provider, userinfo_endpoint=None, identity="none")
    assert faults() == {}
    configure_preset(provider, "slack_app")
    assert faults() == {}


def test_unusable_keys_are_reported(provider: ScriptedProvider) -> None:
    configure(provider)
    provider.answer("/jwks", Answer(404), json_answer({"keys": []}))
    assert "jwks_uri" in faults()["keys"]
    assert "jwks_uri" in faults()["keys"]
    # And they are not fetched where no id_token is expected
    configure_plain(provider)
    assert faults() == {}


def test_a_host_without_or_with_a_private_address_is_reported(
    provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a name server that resolves one name, to loopback
    asked: list[str] = []
    resolve = socket.getaddrinfo

    def answer(name: str, *more: Any, **options: Any) -> Any:
        asked.append(name)
        if name == "nowhere.example":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve("127.0.0.1" if name == "inside.example" else name, *more, **options)

    inside, nowhere = "https://inside.example/token", "https://nowhere.example/"
    configure_plain(
        provider,
        token_endpoint=inside,
        userinfo_endpoint=f"{nowhere}user",
        revocation_endpoint=f"{nowhere}revoke",
    )
    monkeypatch.setattr(socket, "getaddrinfo", answer)
    # When it is checked
    found = faults()
    # Then each endpoint is reported, and each name was resolved once
    assert set(found) == {"token_endpoint", "userinfo_endpoint", "revocation_endpoint"}
    assert "OAUTH_ALLOWED_PRIVATE_HOSTS" in found["token_endpoint"]
    assert "name server" in found["userinfo_endpoint"]
    assert sorted(name for name in asked if name.endswith(".example")) == [
        "inside.example",
        "nowhere.example",
    ]


def test_an_unreachable_issuer_is_reported(provider: ScriptedProvider) -> None:
    configure(provider)
    provider.answer("/.well-known/openid-configuration", Answer(404))

    assert list(faults()) == ["configuration"]
    # And where discovery is not needed, it is one fault among others
    patch_provider(NAME, provider.addresses(), now())
    assert list(faults()) == ["discovery"]


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks"])
def test_a_provider_that_hangs_is_no_mistake_of_the_settings(
    provider: ScriptedProvider, toml_conf: dict[str, Any], path: str
) -> None:
    # Given a provider that takes a request and says nothing
    configure(provider)
    toml_conf["OAuth"] = {"read_timeout_seconds": 1}
    config.current_settings.cache_clear()
    gate = provider.hold(path)
    # When it is checked
    report = check_provider(NAME)
    gate.open()
    # Then the remedy is to try again, and not to change what is right
    [fault] = [finding for finding in report["findings"] if not finding["is_ok"]]
    assert "did not answer" in fault["detail"]
    assert "Try again" in (fault["remedy"] or "")
    assert "Correct" not in (fault["remedy"] or "")
    if fault["check"] == "configuration":
        assert provider.issuer in fault["detail"]


def test_client_authentication_is_compared_with_the_metadata(provider: ScriptedProvider) -> None:
    provider.script.client_authentication = "client_secret_post"
    configure(provider, token_endpoint_auth_method="client_secret_basic")
    assert "client_secret_post" in faults()["client_authentication"]

    # Where nothing is published it is Basic
    provider.script.metadata = {"token_endpoint_auth_methods_supported": None}
    assert faults() == {}
    configure(provider, token_endpoint_auth_method="client_secret_post")
    assert "client_secret_basic" in faults()["client_authentication"]


def test_pkce_is_compared_with_the_metadata(provider: ScriptedProvider) -> None:
    provider.script.metadata = {"code_challenge_methods_supported": ["plain", "S256"]}
    configure(provider)
    assert faults() == {}
    configure(provider, code_challenge_method="none")
    assert "S256" in faults()["pkce"]

    provider.script.metadata = {"code_challenge_methods_supported": ["plain"]}
    assert faults() == {}
    configure(provider)
    assert "plain" in faults()["pkce"]
    configure(provider, code_challenge_method="plain")
    assert faults() == {}
    provider.script.metadata = {"code_challenge_methods_supported": ["plain", "S256"]}
    assert "S256" in faults()["pkce"]


@pytest.mark.parametrize(
    ("method", "published", "credentials"),
    [
        ("none", ["client_secret_basic", "client_secret_post"], {"client_secret": None}),
        ("none", None, {"client_secret": None}),
        ("client_secret_basic", [], {}),
    ],
)
def test_a_method_that_need_not_be_published_is_no_fault(
    method: str, published: Any, credentials: dict[str, Any], provider: ScriptedProvider
) -> None:
    provider.script.metadata = {"token_endpoint_auth_methods_supported": published}
    configure(provider, token_endpoint_auth_method=method, **credentials)

    assert faults() == {}


@pytest.mark.parametrize(
    ("member", "sign"),
    [
        ("require_pushed_authorization_requests", "RFC 9126"),
        ("require_signed_request_object", "RFC 9101"),
        ("require_dpop", "RFC 9449"),
        ("dpop_bound_access_tokens", "RFC 9449"),
    ],
)
def test_what_a_provider_demands_and_is_not_done_is_reported(
    member: str, sign: str, provider: ScriptedProvider
) -> None:
    configure(provider)
    provider.script.metadata = {member: False, "dpop_signing_alg_values_supported": ["ES256"]}
    assert faults() == {}
    assert "dpop_bound_access_tokens" in details()["demands"]

    provider.script.metadata = {member: True}
    assert member in faults()["demands"]
    assert sign in details()["demands"]


def test_a_provider_without_the_code_flow_is_reported(provider: ScriptedProvider) -> None:
    provider.script.metadata = {"response_types_supported": ["token", "id_token"]}
    configure(provider)

    assert "RFC 6749" in faults()["demands"]


def test_id_tokens_by_a_shared_secret_alone_are_reported(provider: ScriptedProvider) -> None:
    name = "id_token_signing_alg_values_supported"
    provider.script.metadata = {name: ["HS256", "none"]}
    configure(provider)
    assert "RS256" in faults()["id_token_algorithms"]
    assert "HS256" in details()["id_token_algorithms"]

    provider.script.metadata = {name: ["HS256", "RS256"]}
    assert faults() == {}
    # And without openid there is none
    provider.script.metadata = {name: ["HS256"]}
    patch_provider(NAME, {"scopes": ["profile"]}, now())
    assert faults() == {}


def test_a_missing_revocation_endpoint_is_reported_as_no_fault(provider: ScriptedProvider) -> None:
    configure(provider)
    assert "revokes" in details()["revocation"]

    provider.script.metadata = {"revocation_endpoint": None}
    configure(provider)
    assert "no revocation_endpoint" in details()["revocation"]
    patch_provider(NAME, {"revocation": "none"}, now())
    assert "no way" in details()["revocation"]
    assert faults() == {}


@pytest.mark.parametrize(
    ("method", "credentials", "said"),
    [
        ("none", {"client_secret": None}, "a public client has no secret"),
        ("client_secret_post", {}, None),
    ],
    ids=["public", "confidential"],
)
def test_a_client_that_the_revocation_endpoint_does_not_know_is_reported_as_no_fault(
    method: str, credentials: dict[str, Any], said: str | None, provider: ScriptedProvider
) -> None:
    # Given a provider whose revocation endpoint takes Basic alone (RFC 8414)
    provider.script.metadata = {
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic"],
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
    }
    configure(provider, token_endpoint_auth_method=method, **credentials)

    # Then the check does not promise what cannot be
    assert faults() == {}
    assert ("takes client_secret_basic alone" in details()["revocation"]) == (said is not None)
    assert (said or "A disconnect revokes the tokens") in details()["revocation"]
    # And where it is published, it is well
    provider.script.metadata = {"revocation_endpoint_auth_methods_supported": [method]}
    assert "A disconnect revokes the tokens" in details()["revocation"]


def test_an_optional_endpoint_that_cannot_be_used_is_reported(provider: ScriptedProvider) -> None:
    provider.script.metadata = {"userinfo_endpoint": "http://idp.example/userinfo"}
    configure(provider)
    assert "OAUTH_ALLOWED_PRIVATE_HOSTS" in faults()["userinfo_endpoint"]
    # What the operator sets is used in its place
    patch_provider(NAME, {"userinfo_endpoint": f"{provider.issuer}/userinfo"}, now())
    assert faults() == {}


def test_scopes_without_a_refresh_token_are_reported(provider: ScriptedProvider) -> None:
    provider.script.metadata = {"scopes_supported": ["openid", "offline_access"]}
    # Where the issuer is asked, offline_access and prompt=consent are set by themselves
    configure(provider)
    assert faults() == {}
    patch_provider(NAME, {"authorization_parameters": {"prompt": "none"}}, now())
    assert "prompt" in faults()["renewal"]
    patch_provider(NAME, {"offline_access": False}, now())
    assert faults() == {}
    # Where all endpoints are given, they are not
    configure(provider, **provider.addresses())
    assert "prompt consent" in faults()["renewal"]

    configure_preset(provider, "google", authorization_parameters={"access_type": "offline"})
    assert "prompt" in faults()["renewal"]
    configure_preset(provider, "x", scopes=["users.read"])
    assert "offline.access" in faults()["renewal"]


@pytest.mark.parametrize("tells_scope", [True, False])
def test_what_was_granted_last_is_compared_with_what_was_asked(
    tells_scope: bool, provider: ScriptedProvider
) -> None:
    provider.script.metadata = {"scopes_supported": ["openid", "offline_access"]}
    provider.script.tells_scope = tells_scope
    configure(provider)
    # Given nothing yet, then nothing is said of it
    assert "granted" not in [finding["check"] for finding in check_provider(NAME)["findings"]]
    # Given a provider that drops the refresh token all the same
    provider.script.gives_refresh_token = False
    sign_in(provider)
    assert "refresh_token" in faults()["granted"]
    # Given one that grants less
    provider.script.gives_refresh_token = True
    if tells_scope:
        provider.script.granted_scope = "openid email offline_access"
        sign_in(provider, subject="user-2")
        assert "profile" in faults()["granted"]
    # Given a sign-in that asks for the identity alone, or one that is granted all
    provider.script.granted_scope = None
    for wanted in (False, True):
        sign_in(provider, subject=f"user-{wanted}", offline_access=wanted)
        assert faults() == {}


def test_a_listed_scope_that_brought_no_refresh_token_is_reported(
    provider: ScriptedProvider,
) -> None:
    # Given an issuer that publishes no scopes, and never says what it grants
    provider.script.tells_scope = provider.script.gives_refresh_token = False
    configure(provider, scopes=["openid", "offline_access"])
    sign_in(provider)
    assert "refresh_token" in faults()["granted"]


@pytest.mark.parametrize(
    ("uri", "is_well"),
    [
        ("https://auth.example.com/v1/oauth/callback", True),
        ("http://localhost:5000/v1/oauth/callback", True),
        ("http://auth.example.com/v1/oauth/callback", False),
        ("https://auth.example.com/v1/oauth/callback?tenant=a", False),
    ],
)
def test_an_unsafe_redirect_uri_is_reported(
    uri: str, is_well: bool, provider: ScriptedProvider, environment: dict[str, str]
) -> None:
    configure(provider)
    environment["REDIRECT_URI"] = uri
    config.current_settings.cache_clear()

    assert (faults() == {}) is is_well


def test_a_possible_mix_up_of_providers_is_reported(
    provider: ScriptedProvider, toml_conf: dict[str, Any]
) -> None:
    # Given a provider that does not name itself in its answers, and another one beside it
    toml_conf["OAuth"] = {"redirect_path_per_provider": False}
    config.current_settings.cache_clear()
    configure(provider)
    assert faults() == {}
    put_provider("other", {"preset": "google"}, now())

    # Then they could be mixed up, and a redirect URI of its own prevents that
    remedy = faults()["mix_up"]
    assert f"/v1/oauth/callback/{NAME}" in remedy
    assert "redirect_path_per_provider" in remedy
    toml_conf["OAuth"] = {}
    config.current_settings.cache_clear()
    assert faults() == {}

    # And so does a provider that names itself
    toml_conf["OAuth"] = {"redirect_path_per_provider": False}
    config.current_settings.cache_clear()
    provider.script.sends_iss = True
    assert faults() == {}


_JSON = any_json()
_MEMBERS = st.sampled_from(
    [
        "token_endpoint_auth_methods_supported",
        "code_challenge_methods_supported",
        "scopes_supported",
        "response_types_supported",
        "id_token_signing_alg_values_supported",
        "dpop_signing_alg_values_supported",
        "require_pushed_authorization_requests",
        "userinfo_endpoint",
    ]
)


@pytest.fixture
def complete(provider: ScriptedProvider) -> ScriptedProvider:
    """A provider that needs no discovery, so that only the check reads its metadata."""
    # Without openid, as the keys are none of these tests' concern
    configure(provider, **provider.addresses(), scopes=["profile"])
    return provider


@settings(max_examples=30)
@given(metadata=st.dictionaries(_MEMBERS, _JSON))
def test_any_published_document_can_be_checked(
    metadata: dict[str, Any], complete: ScriptedProvider
) -> None:
    complete.script.metadata = metadata

    faults()
