"""Offline access: a lasting connection is asked for as OpenID Connect Core section 11 wants it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from actors.oauth.sign_in import begin_sign_in
from models.oauth.connections import TAB_CONNECTIONS
from tests.actors.sign_ins import NAME, configure, configure_preset, now, sign_in
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")
_PUBLISHED = {"scopes_supported": ["openid", "offline_access"]}


def _asked(**wishes: Any) -> dict[str, str]:
    url = begin_sign_in(NAME, now=now(), **wishes).authorization_url
    return dict(parse_qsl(urlsplit(url).query))


def test_a_generic_provider_renews_with_nothing_set(provider: ScriptedProvider) -> None:
    # Given a provider that drops offline_access where the user is not asked to consent
    provider.script.metadata = _PUBLISHED
    provider.script.wants_consent = True
    configure(provider)
    # When a user signs in, then the connection is one that is renewed
    row = sign_in(provider).connection
    assert TAB_CONNECTIONS.refresh_token.open(row) is not None
    assert (row.scope, row.missing_scope) == ("openid profile email offline_access", "")
    assert row.renew_at is not None


@pytest.mark.parametrize("by_request", [True, False])
def test_a_sign_in_that_only_asks_for_the_identity_prompts_for_nothing(
    by_request: bool, provider: ScriptedProvider
) -> None:
    provider.script.metadata = _PUBLISHED
    configure(provider, **({} if by_request else {"offline_access": False}))

    asked = _asked(**({"offline_access": False} if by_request else {}))

    assert asked["scope"] == "openid profile email"
    assert "prompt" not in asked
    # And a request may wish otherwise than the provider's setting
    asked = _asked(offline_access=True)
    assert asked["scope"] == "openid profile email offline_access"
    assert asked["prompt"] == "consent"


@pytest.mark.parametrize(
    ("configured", "wishes", "scope", "prompt"),
    [
        ({"authorization_parameters": {"prompt": "login"}}, {}, "offline_access", "login consent"),
        ({"authorization_parameters": {"prompt": "consent"}}, {}, "offline_access", "consent"),
        # It must be alone, and shows no page to consent on
        ({"authorization_parameters": {"prompt": "none"}}, {}, "offline_access", "none"),
        ({"scopes": ["openid", "offline_access"]}, {}, "offline_access", "consent"),
        ({"offline_parameters": {}}, {}, "offline_access", None),
        ({}, {"scope": "openid"}, "offline_access", "consent"),
        # A request's own prompt joins too, and is never taken away
        ({}, {"prompt": "login"}, "offline_access", "login consent"),
        ({}, {"prompt": "none"}, "offline_access", "none"),
        ({}, {"prompt": "consent", "offline_access": False}, "email", "consent"),
        # Without openid it is no request of OpenID Connect
        ({}, {"scope": "calendar"}, "calendar", None),
        ({"renewal": "none"}, {}, "email", None),
        # What is left out where no lasting connection is wanted
        ({"scopes": ["openid", "offline_access"], "offline_access": False}, {}, "openid", None),
        (
            {"authorization_parameters": {"prompt": "login consent"}, "offline_access": False},
            {},
            "email",
            "login",
        ),
    ],
)
def test_settings_and_wishes_join(
    configured: dict[str, Any],
    wishes: dict[str, Any],
    scope: str,
    prompt: str | None,
    provider: ScriptedProvider,
) -> None:
    provider.script.metadata = _PUBLISHED
    configure(provider, **configured)
    asked = _asked(**wishes)
    assert (asked["scope"].split()[-1], asked.get("prompt")) == (scope, prompt)


@pytest.mark.parametrize("published", [None, ["openid", "profile"], "offline_access", [5]])
def test_nothing_is_added_where_the_issuer_does_not_publish_it(
    published: Any, provider: ScriptedProvider
) -> None:
    provider.script.metadata = {"scopes_supported": published}
    configure(provider)
    asked = _asked()
    assert (asked["scope"], asked.get("prompt")) == ("openid profile email", None)


@pytest.mark.parametrize(
    ("configured", "wishes", "scope", "prompt"),
    [
        ({"scopes": ["openid", "offline_access"]}, {}, "offline_access", "consent"),
        (
            {},
            {"scope": "openid offline_access", "prompt": "login"},
            "offline_access",
            "login consent",
        ),
        (
            {"scopes": ["openid", "offline_access"], "offline_parameters": {"x": "1"}},
            {},
            "offline_access",
            None,
        ),
        ({"scopes": ["openid", "offline_access"]}, {"offline_access": False}, "openid", None),
        # Without openid it is a scope of the provider's own
        ({"scopes": ["offline_access"], "identity": "none"}, {}, "offline_access", None),
    ],
)
def test_a_scope_that_is_listed_and_not_published_is_consented_to(
    configured: dict[str, Any],
    wishes: dict[str, Any],
    scope: str,
    prompt: str | None,
    provider: ScriptedProvider,
) -> None:
    configure(provider, **configured)
    asked = _asked(**wishes)
    assert (asked["scope"].split()[-1], asked.get("prompt")) == (scope, prompt)


@pytest.mark.parametrize(
    ("preset", "needless"),
    [
        ("google", {"access_type": "offline", "prompt": "consent"}),
        ("microsoft", {"scope": "openid profile email offline_access"}),
        ("x", {"scope": "users.read tweet.read users.email offline.access"}),
    ],
)
def test_a_preset_is_asked_for_no_refresh_token_where_none_is_wanted(
    preset: str, needless: dict[str, str], provider: ScriptedProvider
) -> None:
    configure_preset(provider, preset)
    assert needless.items() <= _asked().items()
    assert not needless.items() & _asked(offline_access=False).items()
