"""Tests of an operator's settings: each mistake told by its field, no secret ever shown."""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.errors import ProviderInUse, ProviderInvalid, ProviderUnknown
from actors.provider_lookup import find_provider
from actors.provider_settings import (
    ProviderSettings,
    add_configured_presets,
    describe_provider,
    erase_provider,
    list_providers,
    patch_provider,
    put_provider,
)
from actors.providers.provider import presets
from catfeeder.sealing import Secret
from tests.actors.sign_ins import NAME, configure, event_kinds, now, sign_in
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")

SECRET = "canary-client-secret"
PLAIN = {
    "authorization_endpoint": "https://idp.example/authorize",
    "token_endpoint": "https://idp.example/token",
    "client_id": "client",
    "client_secret": SECRET,
}


def problems_of(body: dict[str, Any], name: str = NAME) -> dict[str, str]:
    """Return what is wrong with each field of a body."""
    with pytest.raises(ProviderInvalid) as refusal:
        put_provider(name, body, now())
    assert SECRET not in refusal.value.detail
    return refusal.value.fields


@pytest.mark.usefixtures("database")
def test_a_provider_is_put_and_shown_without_its_secret() -> None:
    at = now()

    put_provider(NAME, {**PLAIN, "scopes": ["a", "b"], "uses_nonce": False}, at)

    shown = describe_provider(NAME)
    assert shown == {
        "name": NAME,
        "preset": None,
        "authorization_endpoint": "https://idp.example/authorize",
        "token_endpoint": "https://idp.example/token",
        "scopes": ["a", "b"],
        "uses_nonce": False,
        "client_id": "client",
        "has_client_secret": True,
        "created_at": shown["created_at"],
        "updated_at": shown["created_at"],
    }
    assert find_provider(NAME).client_secret == Secret(SECRET)
    assert SECRET not in json.dumps([shown, list_providers()])


@pytest.mark.usefixtures("database")
def test_put_replaces_all_but_the_birthday() -> None:
    at = now()
    put_provider(NAME, {**PLAIN, "scopes": ["a"]}, at)
    before = describe_provider(NAME)

    put_provider(NAME, {"preset": "github"}, at + timedelta(seconds=5))

    after = describe_provider(NAME)
    assert after["preset"] == "github"
    assert after["scopes"] == presets()["github"]["scopes"]
    assert (after["client_id"], after["has_client_secret"]) == (None, False)
    assert after["created_at"] == before["created_at"] != after["updated_at"]


def test_providers_are_listed_by_name() -> None:
    for name in ("b", "c", "a"):
        put_provider(name, PLAIN, now())

    assert [shown["name"] for shown in list_providers()] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("preset", "myspace", "must be one of facebook, github, google, linkedin, microsoft, x"),
        ("preset", 5, "string"),
        *(
            (field, value, "https URL")
            for field in (
                *("issuer", "authorization_endpoint", "token_endpoint", "userinfo_endpoint"),
                *("emails_endpoint", "revocation_endpoint", "jwks_uri"),
            )
            for value in ("http://idp.example/", "idp.example", "javascript:x", "https://u:p@a/")
        ),
        ("token_endpoint", "https://a/" + "x" * 2048, "2048"),
        ("token_endpoint", "", "1 character"),
        ("token_endpoint", ["https://idp.example"], "string"),
        ("client_id", "", "match"),
        ("client_id", "a\0b", "match"),
        ("client_id", "a\nb", "match"),
        ("client_id", "x" * 2049, "match"),
        ("client_id", 5, "string"),
        ("client_secret", "", "1 "),
        ("client_secret", "x" * 4097, "4096"),
        ("client_secret", 5, "string"),
        ("scopes", "openid", "list"),
        ("scopes.0", ["open id"], "match"),
        ("scopes.1", ["openid", 'a"b'], "match"),
        ("scopes.0", [""], "match"),
        ("scope_separator", ";", "','"),
        ("token_endpoint_auth_method", "private_key_jwt", "client_secret_basic"),
        ("code_challenge_method", "plain", "S256"),
        ("uses_nonce", "no", "boolean"),
        ("uses_nonce", 0, "boolean"),
        ("authorization_response_iss_parameter_supported", "true", "boolean"),
        ("authorization_parameters", [], "dictionary"),
        ("authorization_parameters.prompt", {"prompt": 5}, "string"),
        ("authorization_parameters.a", {"a": "\r\n"}, "match"),
        ("default_lifetime_seconds", 0, "greater"),
        ("default_lifetime_seconds", "3600", "integer"),
        ("default_lifetime_seconds", True, "integer"),
        ("default_lifetime_seconds", 10**9, "less"),
        ("renewal", "magic", "refresh_token"),
        ("profile.nickname.[key]", {"nickname": "nick"}, "subject"),
        ("profile.subject", {"subject": ""}, "match"),
        ("email_trust", "always", "claim"),
        ("nonsense", 1, "not permitted"),
    ],
)
def test_each_mistake_is_told_by_its_field(field: str, value: Any, problem: str) -> None:
    name = field.split(".", maxsplit=1)[0]

    problems = problems_of({**PLAIN, name: value})

    assert list(problems) == [field]
    assert problem in problems[field]


def test_all_mistakes_are_told_at_once() -> None:
    body = {"preset": "myspace", "uses_nonce": 1, "nonsense": None, "client_secret": 5}

    assert set(problems_of(body)) == {"preset", "uses_nonce", "nonsense", "client_secret"}


def test_a_mistake_does_not_show_what_was_sent() -> None:
    problems = problems_of({**PLAIN, "client_secret": [SECRET], "client_id": f"{SECRET}\n"})

    assert SECRET not in json.dumps(problems)


@pytest.mark.parametrize("name", ["", "UPPER", "a b", "a/b", "-a", "_a", "x" * 65, "a\0", "\u00e9"])
def test_a_name_that_cannot_stand_in_a_url_is_refused(name: str) -> None:
    assert set(problems_of(PLAIN, name)) == {"name"}


@pytest.mark.parametrize("name", ["a", "0", "my-idp_2", "x" * 64])
def test_any_other_name_may_be_given(name: str) -> None:
    put_provider(name, PLAIN, now())

    assert describe_provider(name)["name"] == name


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ({}, {"authorization_endpoint", "token_endpoint"}),
        ({"token_endpoint": "https://a/t"}, {"authorization_endpoint"}),
        ({"authorization_endpoint": "https://a/a"}, {"token_endpoint"}),
    ],
)
def test_somebody_has_to_give_the_endpoints(body: dict[str, Any], missing: set[str]) -> None:
    assert set(problems_of(body)) == missing


@pytest.mark.parametrize("body", [{"preset": "google"}, {"issuer": "https://idp.example"}])
def test_a_preset_or_an_issuer_gives_them(body: dict[str, Any]) -> None:
    put_provider(NAME, body, now())


def test_a_host_inside_may_be_given_where_the_environment_names_it(
    provider: ScriptedProvider,
) -> None:
    put_provider(NAME, {"issuer": provider.issuer}, now())

    assert set(problems_of({"issuer": "http://127.0.0.1:1"})) == {"issuer"}


def test_what_was_refused_changes_nothing() -> None:
    put_provider(NAME, PLAIN, now())
    before = describe_provider(NAME)

    problems_of({**PLAIN, "uses_nonce": 5})
    with pytest.raises(ProviderInvalid):
        patch_provider(NAME, {"uses_nonce": 5}, now())

    assert describe_provider(NAME) == before
    assert event_kinds() == ["provider_changed"]


# -- Changing


@pytest.mark.usefixtures("database")
def test_a_patch_changes_what_it_names_and_null_takes_away() -> None:
    put_provider(NAME, {**PLAIN, "scopes": ["a"], "uses_nonce": False}, now())

    patch_provider(NAME, {"scopes": ["b"], "uses_nonce": None, "nonsense": None}, now())

    shown = describe_provider(NAME)
    assert shown["scopes"] == ["b"]
    assert "uses_nonce" not in shown
    assert shown["client_id"] == "client"
    # The secret stays unless it is named
    assert find_provider(NAME).client_secret == Secret(SECRET)
    patch_provider(NAME, {"client_secret": None}, now())
    assert describe_provider(NAME)["has_client_secret"] is False


def test_a_patch_merges_objects_inwards() -> None:
    # RFC 7396 section 1
    profile = {"subject": "user.id", "name": "user.name"}
    put_provider(NAME, {**PLAIN, "profile": profile}, now())

    patch_provider(NAME, {"profile": {"name": None, "email": "user.mail"}}, now())

    assert describe_provider(NAME)["profile"] == {"subject": "user.id", "email": "user.mail"}
    patch_provider(NAME, {"profile": None}, now())
    assert "profile" not in describe_provider(NAME)


def test_a_patch_cannot_take_away_what_is_needed() -> None:
    put_provider(NAME, PLAIN, now())

    with pytest.raises(ProviderInvalid) as refusal:
        patch_provider(NAME, {"token_endpoint": None}, now())
    assert set(refusal.value.fields) == {"token_endpoint"}


def test_a_patch_of_a_preset_leaves_the_rest_to_it() -> None:
    put_provider(NAME, {"preset": "github", "client_id": "a"}, now())

    patch_provider(NAME, {"profile": {"name": "login"}}, now())

    assert find_provider(NAME).profile["name"] == "login"
    assert find_provider(NAME).profile["subject"] == "id"


# -- Erasing


@pytest.mark.usefixtures("database")
def test_a_provider_is_erased_when_nobody_is_connected_to_it() -> None:
    put_provider(NAME, PLAIN, now())

    erase_provider(NAME)

    for act in (describe_provider, erase_provider):
        with pytest.raises(ProviderUnknown):
            act(NAME)
    with pytest.raises(ProviderUnknown):
        patch_provider(NAME, {}, now())
    assert event_kinds() == ["provider_changed", "provider_changed"]


def test_a_provider_with_connections_stays(provider: ScriptedProvider) -> None:
    configure(provider)
    sign_in(provider)

    with pytest.raises(ProviderInUse):
        erase_provider(NAME)
    assert describe_provider(NAME)


@pytest.mark.usefixtures("database")
def test_a_name_that_is_none_finds_nothing() -> None:
    for name in ("", "a\0b", "\ud800", "UPPER", "x" * 100):
        for act in (describe_provider, erase_provider):
            with pytest.raises(ProviderUnknown):
                act(name)


# -- Credentials of the environment


def test_presets_with_credentials_in_the_environment_are_ready(
    environment: dict[str, str],
) -> None:
    environment |= {"GITHUB_CLIENT_ID": "from-env", "GITHUB_CLIENT_SECRET": SECRET}

    add_configured_presets(now())
    add_configured_presets(now())

    (shown,) = list_providers()
    assert (shown["name"], shown["preset"], shown["client_id"]) == ("github", "github", "from-env")
    assert shown["has_client_secret"] is True
    assert SECRET not in json.dumps(shown)
    assert find_provider("github").client_secret == Secret(SECRET)


def test_a_preset_that_an_operator_has_changed_stays_so(environment: dict[str, str]) -> None:
    environment["GITHUB_CLIENT_ID"] = "from-env"
    put_provider("github", {"preset": "github", "scopes": ["repo"], "client_id": "own"}, now())

    add_configured_presets(now())

    assert describe_provider("github")["scopes"] == ["repo"]
    assert describe_provider("github")["client_id"] == "own"


def test_a_file_that_cannot_be_read_hides_no_provider(
    environment: dict[str, str], tmp_path: Path
) -> None:
    environment[f"{NAME.upper()}_CLIENT_SECRET_FILE"] = str(tmp_path / "missing")
    put_provider(NAME, {**PLAIN, "client_secret": None} | {"client_secret": None}, now())

    assert list_providers()[0]["has_client_secret"] is False


# -- Whatever comes

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    body=st.dictionaries(
        st.sampled_from(sorted(ProviderSettings.model_fields)) | st.text(max_size=5),
        _JSON | st.sampled_from(["google", "https://idp.example/x", "\ud800", "a\0"]),
    )
)
def test_any_body_is_a_provider_or_refused(body: dict[str, Any]) -> None:
    with contextlib.suppress(ProviderInvalid):
        put_provider(NAME, body, now())
        assert describe_provider(NAME)["name"] == NAME
