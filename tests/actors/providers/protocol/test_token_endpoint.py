"""Tests of token requests, against an endpoint that checks every parameter."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

import pytest
import requests

from actors.errors import AuthError, CodeInvalid, TokenInvalid
from actors.providers.errors import ProviderNotConfigured, ProviderRefused, ProviderUnreachable
from actors.providers.protocol.provider import Provider, TokenExchange
from actors.providers.protocol.provider_builder import Credentials, build_provider
from actors.providers.protocol.revocation import revoke_token
from actors.providers.protocol.token_endpoint import (
    TokenResponse,
    exchange_token,
    redeem_code,
    use_refresh_token,
)
from catfeeder.sealing import Secret
from config import Settings
from tests.actors.providers.built import built
from tests.provider.answers import Answer, json_answer
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("settings")

REDIRECT = "https://app.example.com/callback?a=1&b=%C3%A9"
VERIFIER = Secret("a-verifier-of-43-characters-at-least-0123456789")
FACEBOOK = TokenExchange(grant_type="fb_exchange_token", token_parameter="fb_exchange_token")
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.reveal_bytes()).digest())


def code_of(provider: ScriptedProvider, *, challenge: bool = True) -> Secret:
    """Consent as a user and return the code."""
    asked = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": REDIRECT,
        "scope": "openid profile",
    }
    if challenge:
        asked |= {"code_challenge": CHALLENGE.decode().rstrip("="), "code_challenge_method": "S256"}
    url = requests.Request("GET", f"{provider.issuer}/authorize", params=asked).prepare().url
    answer = requests.get(str(url), allow_redirects=False, timeout=60)
    return Secret(parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0])


def redeemed(provider: ScriptedProvider, **metadata: Any) -> TokenResponse:
    return redeem_code(built(provider, **metadata), code_of(provider), REDIRECT, VERIFIER)


def test_a_code_is_redeemed_with_its_verifier_and_redirect_uri(provider: ScriptedProvider) -> None:
    tokens = redeemed(provider)

    assert tokens.access_token.reveal().startswith("access-1-")
    assert tokens.refresh_token is not None
    assert (tokens.token_type, tokens.expires_in, tokens.scope) == (
        "Bearer",
        3600,
        "openid profile",
    )
    (request,) = provider.requests_for("/token")
    assert request.method == "POST"
    assert request.query == {}
    assert set(request.form) == {"grant_type", "code", "redirect_uri", "code_verifier"}
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["accept"] == "application/json"


#: With the separator of Basic, characters with a meaning in forms, and letters beyond ASCII.
_ODD_SECRETS = ["simple", "s3cr:et", "a+b c", "100%41", "&=;/?~", "p\u00e4ss\u20ac", "'\"\\"]


@pytest.mark.parametrize("secret", _ODD_SECRETS)
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_any_secret_arrives_unchanged(method: Any, secret: str, provider: ScriptedProvider) -> None:
    provider.client_secret = secret
    provider.script.client_authentication = method

    tokens = redeemed(provider)
    assert tokens.refresh_token is not None
    use_refresh_token(built(provider), tokens.refresh_token)

    # And it is sent in one place only
    for request in provider.requests_for("/token"):
        assert ("authorization" in request.headers) == (method == "client_secret_basic")
        assert ("client_secret" in request.form) == (method == "client_secret_post")


@pytest.mark.parametrize("client_id", ["https://app.example/id", "100%41", "p\u00e4ss"])
def test_any_client_id_arrives_unchanged(client_id: str, provider: ScriptedProvider) -> None:
    credentials = Credentials(client_id, (Secret("s:ecret"),))
    found = build_provider("scripted", provider.addresses(), credentials)

    with pytest.raises(ProviderRefused):
        use_refresh_token(found, Secret("token"))

    request = provider.requests[0]
    shown = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
    assert [unquote_plus(part) for part in shown.split(":")] == [client_id, "s:ecret"]


def test_a_public_client_sends_only_its_id(provider: ScriptedProvider) -> None:
    provider.script.client_authentication = "none"

    tokens = redeemed(provider)
    assert tokens.refresh_token is not None
    use_refresh_token(built(provider), tokens.refresh_token)

    for request in provider.requests_for("/token"):
        assert request.form["client_id"] == provider.client_id
        assert "client_secret" not in request.form
        assert "authorization" not in request.headers


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_missing_secret_is_reported_before_any_request(
    method: str, provider: ScriptedProvider
) -> None:
    metadata = {**provider.addresses(), "token_endpoint_auth_method": method}
    found = build_provider("scripted", metadata, Credentials(provider.client_id))

    with pytest.raises(ProviderNotConfigured, match="no client_secret"):
        redeem_code(found, Secret("code"), REDIRECT, None)
    with pytest.raises(ProviderNotConfigured, match="no client_secret"):
        use_refresh_token(found, Secret("token"))

    assert provider.requests == []


def test_a_provider_without_pkce_receives_no_verifier(provider: ScriptedProvider) -> None:
    provider.script.requires_pkce = False
    provider.script.refuses_pkce = True

    code = code_of(provider, challenge=False)
    assert redeem_code(built(provider), code, REDIRECT, None)


@pytest.mark.parametrize("text", ["", "a\nb", "a\0", "caf\u00e9", "\ud800", "\u20ac"])
def test_an_invalid_code_or_token_is_never_sent(text: str, provider: ScriptedProvider) -> None:
    found = built(provider)

    with pytest.raises(CodeInvalid):
        redeem_code(found, Secret(text), REDIRECT, VERIFIER)
    with pytest.raises(TokenInvalid):
        use_refresh_token(found, Secret(text))

    assert provider.requests == []


def test_any_visible_character_of_a_code_or_token_arrives(provider: ScriptedProvider) -> None:
    text = "".join(map(chr, range(0x20, 0x7F)))
    provider.answer("/token", json_answer({"access_token": "a"}))

    redeem_code(built(provider), Secret(text), REDIRECT, VERIFIER)
    use_refresh_token(built(provider), Secret(text))

    first, second = provider.requests
    assert first.form["code"] == text
    assert second.form["refresh_token"] == text


def test_the_refresh_token_stays_in_force_without_a_new_one(provider: ScriptedProvider) -> None:
    given = redeemed(provider).refresh_token
    assert given is not None

    tokens = use_refresh_token(built(provider), given)

    assert tokens.refresh_token == given
    assert tokens.access_token.reveal().startswith("access-2-")
    assert provider.requests[-1].form == {
        "grant_type": "refresh_token",
        "refresh_token": given.reveal(),
    }


@pytest.mark.parametrize("value", [None, ""])
def test_an_empty_refresh_token_keeps_the_old_one(
    value: str | None, provider: ScriptedProvider
) -> None:
    provider.answer("/token", json_answer({"access_token": "a", "refresh_token": value}))

    tokens = use_refresh_token(built(provider), Secret("old"))

    assert tokens.refresh_token == Secret("old")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_unavailable_token_endpoint_is_asked_once(
    status: int, provider: ScriptedProvider
) -> None:
    provider.answer("/token", json_answer({"error": "slow_down"}, status, Retry_After="7"))
    found = built(provider)

    asks: list[Callable[[], TokenResponse]] = [
        lambda: redeem_code(found, Secret("code"), REDIRECT, VERIFIER),
        lambda: use_refresh_token(found, Secret("token")),
        lambda: exchange_token(found, FACEBOOK, Secret("token")),
    ]
    for ask in asks:
        provider.requests.clear()
        with pytest.raises(ProviderUnreachable) as failure:
            ask()
        assert failure.value.retry_after_seconds == 7
        # A code or token that was sent may have been used
        assert len(provider.requests) == 1


# -- Rotation of a client secret


def _rotating(provider: ScriptedProvider, *secrets: str, **metadata: Any) -> Provider:
    """Build a client that has several secrets, the newest first."""
    method = provider.script.client_authentication
    known = {**provider.addresses(), "token_endpoint_auth_method": method, **metadata}
    credentials = Credentials(provider.client_id, tuple(map(Secret, secrets)))
    return build_provider("scripted", known, credentials)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("errors_are_200", [True, False])
def test_an_earlier_secret_is_tried_while_the_newest_is_refused(
    method: Any, errors_are_200: bool, provider: ScriptedProvider
) -> None:
    # Given a provider that accepts only the oldest of three secrets
    provider.script.client_authentication = method
    provider.script.errors_are_200 = errors_are_200
    secrets = ("newest", "newer", provider.client_secret)
    found = _rotating(provider, *secrets)
    # When a code is redeemed, a token refreshed, extended and revoked
    tokens = redeem_code(found, code_of(provider), REDIRECT, VERIFIER)
    assert tokens.refresh_token is not None
    use_refresh_token(found, tokens.refresh_token)
    exchange_token(found, FACEBOOK, tokens.access_token)
    assert revoke_token(found, tokens.access_token, "access_token")
    # Then each request was tried with every secret, and the code was redeemed once
    assert len(provider.requests_for("/token")) == 9
    assert len(provider.requests_for("/revoke")) == 3
    assert provider.grants.code_replays == 0


def test_the_newest_secret_comes_first(provider: ScriptedProvider) -> None:
    found = _rotating(provider, provider.client_secret, "older")

    redeem_code(found, code_of(provider), REDIRECT, VERIFIER)
    assert len(provider.requests_for("/token")) == 1


@pytest.mark.parametrize(
    "answer",
    [
        json_answer({"error": "invalid_grant"}, 400),
        json_answer({"error": "unauthorized_client"}, 401),
        json_answer({"error": "access_denied", "error_description": "invalid_client"}, 400),
        json_answer({}, 401),
        json_answer({}, 200),
        Answer(503),
        Answer(429),
        Answer(200, b"invalid_client"),
    ],
)
def test_a_code_that_the_provider_may_have_used_is_never_posted_again(
    answer: Answer, provider: ScriptedProvider
) -> None:
    found = _rotating(provider, "newest", provider.client_secret)
    provider.answer("/token", answer)

    with pytest.raises(AuthError):
        redeem_code(found, code_of(provider), REDIRECT, VERIFIER)
    assert len(provider.requests_for("/token")) == 1


def test_a_client_that_every_secret_fails_for_is_refused(provider: ScriptedProvider) -> None:
    found = _rotating(provider, "newest", "older")

    with pytest.raises(ProviderRefused, match="invalid_client") as refusal:
        redeem_code(found, code_of(provider), REDIRECT, VERIFIER)
    assert "newest" not in str(refusal.value)
    assert len(provider.requests_for("/token")) == 2


@pytest.mark.parametrize("error", ["incorrect_client_credentials", "bad_client_secret"])
def test_a_refused_client_is_recognised_by_other_error_codes(
    error: str, provider: ScriptedProvider
) -> None:
    found = _rotating(provider, "newest", provider.client_secret)
    provider.answer("/token", json_answer({"error": error}), times=1)

    redeem_code(found, code_of(provider), REDIRECT, VERIFIER)
    assert len(provider.requests_for("/token")) == 2


def test_the_redirect_uri_is_repeated_at_renewal_where_the_provider_wants_it(
    provider: ScriptedProvider, settings: Settings
) -> None:
    for metadata, expected in (({}, None), ({"redirect_uri_at_renewal": True}, True)):
        provider.requests.clear()
        token = redeemed(provider).refresh_token
        assert token is not None
        use_refresh_token(built(provider, **metadata), token)
        sent = provider.requests[-1].form.get("redirect_uri")
        assert sent == (settings.redirect_uri if expected else None)
