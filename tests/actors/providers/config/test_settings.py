"""Tests of provider settings: each mistake reported by its field, no secret ever shown."""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OKPKey

from actors.events.audit import list_events
from actors.providers.config.configured_presets import add_configured_presets
from actors.providers.config.discovery import discover_provider
from actors.providers.config.lookup import find_provider
from actors.providers.config.schema.body import ProviderSettings
from actors.providers.config.settings import (
    describe_provider,
    erase_provider,
    list_providers,
    patch_provider,
    put_provider,
)
from actors.providers.errors import ProviderInUse, ProviderInvalid, ProviderUnknown
from actors.providers.protocol.client_authentication.assertions import read_private_key
from actors.providers.protocol.provider_builder import presets
from catfeeder.sealing import Secret
from models.db.database import database as the_database
from models.db.database import hold_connection
from tests.actors.providers.any_json import any_json
from tests.actors.sign_ins import NAME, configure, event_kinds, now, sign_in
from tests.models.races import race_threads
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")

SECRET = "canary-client-secret"
PLAIN = {
    "authorization_endpoint": "https://idp.example/authorize",
    "token_endpoint": "https://idp.example/token",
    "userinfo_endpoint": "https://idp.example/userinfo",
    "client_id": "client",
    "client_secret": SECRET,
}


TEXTS = ["preset", "client_id", "client_secret", "private_key", "team_id", "certificate"]
FLAGS = ["uses_nonce", "always_gives_id_token", "single_use_refresh_tokens"]
FLAGS += ["redirect_uri_at_renewal", "authorization_response_iss_parameter_supported"]
FLAGS += ["claims_parameter_supported", "single_resource_tokens"]
DURATIONS = ["minimum_renewal_gap_seconds", "default_lifetime_seconds", "renewal_margin_seconds"]
DURATIONS += [
    "refresh_token_grace_seconds",
    "grant_lifetime_seconds",
    "grant_idle_lifetime_seconds",
]
NO_DURATION = [(-1, "greater"), (10**9, "less"), ("3600", "integer"), (True, "integer")]
MAPPINGS = ["scope_aliases", "failure_kinds", "authorization_parameters"]


def changes() -> list[dict[str, Any]]:
    """Return the details of the provider's changes in the audit trail, the earliest first."""
    events = list_events(kind="provider_changed", provider=NAME)["items"]
    return [event["detail"] for event in reversed(events)]


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
        "app": None,
        "preset": None,
        "authorization_endpoint": "https://idp.example/authorize",
        "token_endpoint": "https://idp.example/token",
        "userinfo_endpoint": "https://idp.example/userinfo",
        "scopes": ["a", "b"],
        "uses_nonce": False,
        "client_id": "client",
        "has_client_secret": True,
        "has_earlier_client_secrets": False,
        "has_private_key": False,
        "renewals": {
            "state": "closed",
            "failures": 0,
            **dict.fromkeys(("paused_until", "since", "kind", "reason")),
        },
        "created_at": shown["created_at"],
        "updated_at": shown["created_at"],
    }
    assert find_provider(NAME).client_secret == Secret(SECRET)
    assert SECRET not in json.dumps([shown, list_providers()])


@pytest.mark.usefixtures("database")
def test_put_replaces_all_but_created_at() -> None:
    at = now()
    put_provider(NAME, {**PLAIN, "scopes": ["a"]}, at)
    before = describe_provider(NAME)

    put_provider(NAME, {"preset": "github"}, at + timedelta(seconds=5))

    after = describe_provider(NAME)
    assert after["preset"] == "github"
    assert after["scopes"] == presets()["github"]["scopes"]
    assert (after["client_id"], after["has_client_secret"]) == (None, False)
    assert after["created_at"] == before["created_at"] != after["updated_at"]


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("preset", "myspace", "/v1/catalogue"),
        *((field, 5, "string") for field in TEXTS),
        *((field, value, "boolean") for field in FLAGS for value in (0, 1, "true")),
        *((field, value, problem) for field in DURATIONS for value, problem in NO_DURATION),
        *((field, 0, "greater") for field in [*DURATIONS[1:], "maximum_renewals_per_minute"]),
        *((field, ["a"], "dictionary") for field in MAPPINGS),
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
        *(
            (field, f"https://{host}/", "public address")
            for field in ("issuer", "token_endpoint", "base_url")
            for host in (
                *("127.0.0.1", "127.1", "2130706433", "[::1]", "169.254.169.254", "10.0.0.1"),
                *("localhost", "idp.localhost", "idp.test", "idp.invalid", "idp.local"),
            )
        ),
        ("issuer", "https://idp.example/?a=b", "without a query"),
        ("authorization_endpoint", "https://a.b/?client_id=1&scope=a", "without client_id, scope:"),
        ("base_url", "https://idp.example/?a=b", "without a query"),
        ("base_url", "https://idp.example/", "many servers"),
        ("client_id", "", "1 character"),
        ("client_id", "a\0b", "control character"),
        ("client_id", "a\nb", "line break"),
        ("client_id", "x" * 2049, "2048 characters"),
        ("client_secret", "", "1 to 4096"),
        ("client_secret", "x" * 4097, "1 to 4096"),
        ("client_secret", "pasted\n", "line break"),
        ("scopes", "openid", "list"),
        ("scopes/0", ["open id"], "blanks"),
        ("scopes/1", ["openid", 'a"b'], "quotes"),
        ("scopes/0", [""], "1 to 255"),
        ("scopes", ["a"] * 101, "100"),
        ("scope_separator", "x", "punctuation marks"),
        ("debug_token_endpoint", "http://graph.facebook.com/", "https URL"),
        ("certificate", "none", "certificate in PEM"),
        ("base_url", "http://git.example", "https URL"),
        ("client_secrets", "secret", "list"),
        ("client_secrets", ["a"], "one of both"),
        ("client_secrets/1", ["a", ""], "1 to 4096"),
        ("client_secrets", [], "1 "),
        ("client_secrets", list("abcdef"), "5"),
        ("private_key", "secret", "in PEM"),
        ("private_key", "x" * 16385, "in PEM"),
        ("key_id", "", "1 character"),
        ("scope_aliases/email", {"email": "a b"}, "blanks"),
        ("implied_scopes/user/0", {"user": ["user email"]}, "blanks"),
        ("implied_scopes", {"write_*": ["*_*"]}, "one *"),
        ("implied_scopes", {"write": ["read_*"]}, "without *"),
        ("emails/primary", {"primary": ""}, "1 character"),
        ("emails/main", {"main": "x"}, "verified"),
        ("maximum_renewals_per_minute", 10**7, "less"),
        ("token_answer", "slack", "slack_app"),
        ("failure_kinds/gone", {"gone": "dead"}, "grant_dead"),
        ("failure_kinds/\n", {"\n": "grant_dead"}, "line break"),
        ("failure_kinds/a.b~1c~0", {"a.b/c~": "dead"}, "grant_dead"),
        ("failure_remedies/gone", {"gone": "\n"}, "line break"),
        ("revocation", "magic", "rfc7009"),
        ("told_once/0", ["email"], "name"),
        ("token_endpoint_auth_method", "client_secret_jwt", "client_secret_basic"),
        ("token_endpoint_auth_signing_alg", "HS256", "PS256"),
        *(
            ("client_assertion_audience", value, "token_endpoint, issuer or an https URL")
            for value in ("nobody", "http://idp.example/")
        ),
        ("client_assertion_audience", "", "1 character"),
        ("code_challenge_method", "S512", "plain"),
        ("authorization_parameters/prompt", {"prompt": 5}, "string"),
        ("authorization_parameters/a", {"a": "\r\n"}, "line break"),
        *(
            ("authorization_parameters", {"prompt": "login", name: "a"}, f"must not hold {name}:")
            for name in ("client_id", "redirect_uri", "response_type", "scope", "state", "nonce")
        ),
        ("authorization_parameters", {"code_challenge_method": "a"}, "code_challenge_method"),
        ("authorization_parameters", {"response_mode": "fragment"}, "form_post"),
        ("renewal", "magic", "refresh_token"),
        ("profile/nickname", {"nickname": "nick"}, "subject"),
        ("profile/subject", {"subject": ""}, "1 character"),
        ("email_trust", "always", "claim"),
        ("nonsense", 1, "no setting"),
        ("", 1, "no setting"),
    ],
)
def test_each_mistake_is_reported_by_its_field(field: str, value: Any, problem: str) -> None:
    name = field.split("/", maxsplit=1)[0]

    problems = problems_of({**PLAIN, name: value})

    assert list(problems) == [field]
    assert problem in problems[field]


def test_a_mistake_does_not_show_the_value() -> None:
    problems = problems_of({**PLAIN, "client_secret": [SECRET], "client_id": f"{SECRET}\n"})

    assert SECRET not in json.dumps(problems)


# /v1/oauth/callback/authorize is the callback of a provider that is called authorize.
@pytest.mark.parametrize(
    "name", ["", "UPPER", "a b", "a/b", "-a", "_a", "x" * 65, "a\0", "\u00e9", "callback"]
)
def test_an_invalid_name_is_refused(name: str) -> None:
    problem = "callback" if name == "callback" else "lower case"
    assert problem in problems_of(PLAIN, name)["name"]


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ({}, {"authorization_endpoint", "token_endpoint"}),
        ({"token_endpoint": "https://a.example/t"}, {"authorization_endpoint"}),
        ({"authorization_endpoint": "https://a.example/a"}, {"token_endpoint"}),
        ({"preset": "google"}, set()),
        ({"issuer": "https://idp.example"}, set()),
    ],
)
def test_endpoints_come_from_the_body_a_preset_or_an_issuer(
    body: dict[str, Any], missing: set[str]
) -> None:
    if missing:
        assert set(problems_of(body)) == missing
    else:
        put_provider(NAME, body, now())


def test_an_allowed_private_host_may_be_configured(provider: ScriptedProvider) -> None:
    put_provider(NAME, {"issuer": provider.issuer}, now())

    assert set(problems_of({"issuer": "http://127.0.0.1:1"})) == {"issuer"}


def test_refused_settings_change_nothing() -> None:
    put_provider(NAME, PLAIN, now())
    before = describe_provider(NAME)

    problems_of({**PLAIN, "uses_nonce": 5})
    with pytest.raises(ProviderInvalid):
        patch_provider(NAME, {"uses_nonce": 5}, now())

    assert describe_provider(NAME) == before
    assert event_kinds() == ["provider_changed"]


# -- Changing


@pytest.mark.usefixtures("database")
def test_a_patch_changes_the_fields_it_names_and_null_removes_one() -> None:
    put_provider(NAME, {**PLAIN, "scopes": ["a"], "uses_nonce": False}, now())

    patch_provider(NAME, {"scopes": ["b"], "uses_nonce": None}, now())

    shown = describe_provider(NAME)
    assert shown["scopes"] == ["b"]
    assert "uses_nonce" not in shown
    assert shown["client_id"] == "client"
    # The secret stays unless it is named
    assert find_provider(NAME).client_secret == Secret(SECRET)
    patch_provider(NAME, {"client_secret": None}, now())
    assert describe_provider(NAME)["has_client_secret"] is False


def test_the_audit_trail_names_the_fields_of_a_patch() -> None:
    put_provider(NAME, PLAIN, now())

    patch_provider(NAME, {"scopes": ["b"], "client_secret": None}, now())

    put, patched = changes()
    assert put == {"fields": sorted(PLAIN)}
    assert patched == {"fields": ["client_secret", "scopes"]}


def test_a_patch_merges_nested_objects() -> None:
    # RFC 7396 section 1
    profile = {"subject": "user.id", "name": "user.name"}
    put_provider(NAME, {**PLAIN, "profile": profile}, now())

    patch_provider(NAME, {"profile": {"name": None, "email": "user.mail"}}, now())

    assert describe_provider(NAME)["profile"] == {"subject": "user.id", "email": "user.mail"}
    patch_provider(NAME, {"profile": None}, now())
    assert "profile" not in describe_provider(NAME)


@pytest.mark.usefixtures("database")
def test_concurrent_patches_are_all_applied() -> None:
    put_provider(NAME, PLAIN, now())

    def contend(number: int) -> None:
        patch_provider(NAME, {"authorization_parameters": {f"p{number}": "a"}}, now())

    race_threads(8, contend)

    assert len(describe_provider(NAME)["authorization_parameters"]) == 8


def test_a_patch_cannot_remove_a_required_field() -> None:
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
def test_a_provider_without_connections_is_erased() -> None:
    put_provider(NAME, PLAIN, now())

    erase_provider(NAME)

    for act in (describe_provider, erase_provider):
        with pytest.raises(ProviderUnknown):
            act(NAME)
    with pytest.raises(ProviderUnknown):
        patch_provider(NAME, {}, now())
    assert event_kinds() == ["provider_changed", "provider_changed"]


def test_a_provider_with_connections_is_not_erased(provider: ScriptedProvider) -> None:
    configure(provider)
    sign_in(provider)

    with pytest.raises(ProviderInUse):
        erase_provider(NAME)
    assert describe_provider(NAME)


@pytest.mark.usefixtures("database")
def test_an_invalid_name_finds_no_provider() -> None:
    for name in ("", "a\0b", "\ud800", "UPPER", "x" * 100):
        for act in (describe_provider, erase_provider, lambda it: patch_provider(it, {}, now())):
            with pytest.raises(ProviderUnknown):
                act(name)


# -- Credentials of the environment


def test_a_changed_preset_is_not_overwritten(environment: dict[str, str]) -> None:
    environment["GITHUB_CLIENT_ID"] = "from-env"
    put_provider("github", {"preset": "github", "scopes": ["repo"], "client_id": "own"}, now())

    add_configured_presets(now())

    assert describe_provider("github")["scopes"] == ["repo"]
    assert describe_provider("github")["client_id"] == "own"


def test_an_unreadable_secret_file_does_not_hide_the_provider(
    environment: dict[str, str], tmp_path: Path
) -> None:
    environment[f"{NAME.upper()}_CLIENT_SECRET_FILE"] = str(tmp_path / "missing")
    put_provider(NAME, {**PLAIN, "client_secret": None}, now())

    assert list_providers()[0]["has_client_secret"] is False


# -- Any input

_JSON = any_json(size=2, leaves=4, with_floats=True)


@settings(max_examples=50)
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


# -- Several secrets, and private keys

_KEY = ECKey.generate_key("P-256").as_pem(private=True).decode()
#: RFC 7518 section 3.3 wants 2048 bits.
_SHORT_KEY = generate_private_key(65537, 1024)  # noqa: S505


def stored(name: str = NAME) -> tuple[list[Secret], Secret | None]:
    found = find_provider(name)
    newest = [found.client_secret] if found.client_secret else []
    return [*newest, *found.earlier_client_secrets], found.private_key


@pytest.mark.usefixtures("database")
def test_rotated_secrets_are_kept_newest_first_and_never_shown() -> None:
    # Given a provider with a secret, to which a newer one comes
    put_provider(NAME, PLAIN, now())
    patch_provider(NAME, {"client_secrets": ["canary-newer", SECRET]}, now())

    assert stored()[0] == [Secret("canary-newer"), Secret(SECRET)]
    shown = describe_provider(NAME)
    assert (shown["has_client_secret"], shown["has_earlier_client_secrets"]) == (True, True)
    assert "canary" not in json.dumps([shown, list_providers()])
    with hold_connection():
        row = the_database.execute_sql("SELECT * FROM user_oauth_connection").fetchone()
    assert b"canary" not in b"".join(
        bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode() for cell in row
    )

    # When something else is changed, then they stay
    patch_provider(NAME, {"scopes": ["a"]}, now())
    assert stored()[0] == [Secret("canary-newer"), Secret(SECRET)]
    # And one secret takes the place of all, by either name
    patch_provider(NAME, {"client_secret": "canary-one"}, now())
    assert stored()[0] == [Secret("canary-one")]
    patch_provider(NAME, {"client_secrets": None}, now())
    assert stored()[0] == []


@pytest.mark.usefixtures("database")
def test_a_private_key_is_sealed_kept_and_never_shown() -> None:
    key = {"private_key": _KEY, "key_id": "K1", "token_endpoint_auth_method": "private_key_jwt"}
    put_provider(NAME, {**PLAIN, **key, "client_secret": None}, now())
    patch_provider(NAME, {"scopes": ["a"]}, now())

    assert stored()[1] == Secret(_KEY)
    shown = describe_provider(NAME)
    assert (shown["has_private_key"], shown["has_client_secret"]) == (True, False)
    assert "PRIVATE KEY" not in json.dumps(shown)

    patch_provider(NAME, {"private_key": None}, now())
    assert stored()[1] is None


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize(
    "pem",
    [
        ECKey.generate_key("P-256").as_pem(private=False).decode(),
        OKPKey.generate_key("X25519").as_pem(private=True).decode(),
        _SHORT_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        f"{_KEY.splitlines()[0]}\n{_KEY.splitlines()[-1]}",
        "",
        "\ud800",
    ],
)
def test_an_unusable_private_key_is_refused(pem: str) -> None:
    problems = problems_of({**PLAIN, "private_key": pem})

    assert set(problems) == {"private_key"}
    assert "KEY" not in problems["private_key"]


def test_presets_take_their_credentials_from_the_environment(environment: dict[str, str]) -> None:
    # An environment file has one line a variable, so line breaks are escaped
    environment |= {
        "APPLE_CLIENT_ID": "app",
        "APPLE_TEAM_ID": "T1",
        "APPLE_KEY_ID": "K1",
        "APPLE_PRIVATE_KEY": _KEY.replace("\n", "\\n"),
        "GITHUB_CLIENT_ID": "app",
        "GITHUB_CLIENT_SECRET": "canary-newer",
        "GITHUB_CLIENT_SECRET_PREVIOUS": SECRET,
    }
    add_configured_presets(now())
    add_configured_presets(now())

    apple = find_provider("apple")
    assert (apple.team_id, apple.key_id) == ("T1", "K1")
    assert apple.private_key is not None
    assert read_private_key(apple.private_key)[1] == "ES256"
    assert stored("github")[0] == [Secret("canary-newer"), Secret(SECRET)]
    assert [one["name"] for one in list_providers()] == ["apple", "github"]
    shown = {one["name"]: one for one in list_providers()}
    assert (shown["github"]["preset"], shown["github"]["client_id"]) == ("github", "app")
    assert shown["apple"]["has_private_key"] is True
    assert shown["github"]["has_client_secret"] is True
    assert shown["github"]["has_earlier_client_secrets"] is True
    assert "canary" not in json.dumps(shown)
    # Stored secrets replace those of the environment as a whole
    patch_provider("github", {"client_secret": "canary-own"}, now())
    assert stored("github")[0] == [Secret("canary-own")]
    assert describe_provider("github")["has_earlier_client_secrets"] is False


# -- No user info


@pytest.mark.parametrize("name", ["userinfo_endpoint", "emails_endpoint"])
def test_null_says_that_there_is_none_over_a_preset(name: str) -> None:
    put_provider(NAME, {"preset": "github", "client_id": "client", name: None}, now())

    assert getattr(find_provider(NAME), name) is None
    assert describe_provider(NAME)[name] is None
    # And it stays so when another field changes
    patch_provider(NAME, {"scopes": ["a"]}, now())
    assert getattr(find_provider(NAME), name) is None
    # And a URL, or a replacement without it, brings one back
    patch_provider(NAME, {name: "https://api.example/user"}, now())
    assert getattr(find_provider(NAME), name) == "https://api.example/user"
    patch_provider(NAME, {name: None}, now())
    assert getattr(find_provider(NAME), name) is None
    put_provider(NAME, {"preset": "github", "client_id": "client"}, now())
    assert getattr(find_provider(NAME), name) == presets()["github"][name]


def test_pkce_that_the_issuer_is_known_to_deny_is_refused(provider: ScriptedProvider) -> None:
    # Given an issuer whose metadata is known, and has S256 alone
    provider.script.metadata = {"code_challenge_methods_supported": ["S256"]}
    body = {"issuer": provider.issuer, **provider.credentials()}
    put_provider(NAME, body, now())
    discover_provider(NAME)

    # Then plain is refused, with what works, and S256 is not
    problems = problems_of({**body, "code_challenge_method": "plain"})
    assert "S256" in problems["code_challenge_method"]
    put_provider(NAME, {**body, "code_challenge_method": "S256"}, now())
