"""Tests of the classification of token endpoint errors, by the tables of each provider."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from actors.errors import AuthError, FailureKind
from actors.providers.errors import ProviderRefused, ProviderUnreachable
from actors.providers.protocol.failure_words import usual_words, words_of_host
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.provider_builder import (
    Credentials,
    build_provider,
    presets,
    with_base_url,
)
from actors.providers.protocol.tokens.answers import read_tokens

DEAD = FailureKind.GRANT_DEAD
CLIENT = FailureKind.CLIENT_MISCONFIGURED
SCOPE = FailureKind.SCOPE
RATE = FailureKind.RATE_LIMITED
PASSING = FailureKind.TRANSIENT
MALFORMED = FailureKind.MALFORMED


def provider_of(preset: str | None, **settings: Any) -> Provider:
    """Build a provider of a preset, or one without."""
    metadata = {
        "authorization_endpoint": "https://idp.example/authorize",
        "token_endpoint": "https://idp.example/token",
        **(presets()[preset] if preset else {}),
        **settings,
    }
    return build_provider("house", with_base_url(metadata), Credentials("client"))


def failure(provider: Provider, members: Any, status: int = 400, **headers: str) -> AuthError:
    """Return the error that an answer of the token endpoint becomes."""
    response = requests.Response()
    response.status_code = status
    response._content = members if isinstance(members, bytes) else json.dumps(members).encode()
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    with pytest.raises(AuthError) as failed:
        read_tokens(response, provider)
    return failed.value


def microsoft(*numbers: int) -> dict[str, Any]:
    """Answer as Microsoft: its numbers are more specific than the error code."""
    text = f"AADSTS{numbers[0]}: Something. Trace ID: 1"
    return {"error": "invalid_grant", "error_description": text, "error_codes": list(numbers)}


def facebook(code: int) -> dict[str, Any]:
    """Answer as Facebook."""
    return {"error": {"message": "Something.", "type": "OAuthException", "code": code}}


@pytest.mark.parametrize(
    ("preset", "answer", "status", "kind"),
    [
        # What the standard says, of any provider
        (None, {"error": "invalid_grant"}, 400, DEAD),
        (None, {"error": "interaction_required"}, 400, DEAD),
        (None, {"error": "invalid_client"}, 401, CLIENT),
        (None, {"error": "unauthorized_client"}, 400, CLIENT),
        (None, {"error": "unsupported_grant_type"}, 400, CLIENT),
        (None, {"error": "invalid_scope"}, 400, SCOPE),
        (None, {"error": "consent_required"}, 400, SCOPE),
        (None, {"error": "slow_down"}, 400, RATE),
        (None, {"error": "temporarily_unavailable"}, 400, PASSING),
        (None, {"error": "server_error"}, 400, PASSING),
        (None, {"error": "invalid_request"}, 400, MALFORMED),
        (None, {"error": "something_new"}, 400, MALFORMED),
        # By the status where there is no code; a status never makes a grant dead
        (None, {}, 400, MALFORMED),
        (None, {}, 401, CLIENT),
        (None, {}, 403, MALFORMED),
        (None, {}, 404, CLIENT),
        (None, {}, 405, CLIENT),
        (None, {}, 408, PASSING),
        (None, {}, 410, MALFORMED),
        (None, {"error": "invalid_grant"}, 429, RATE),
        (None, {"error": "invalid_grant"}, 500, PASSING),
        (None, {"error": "invalid_client"}, 503, PASSING),
        (None, {"error": ""}, 200, MALFORMED),
        (None, {"nothing": "at all"}, 200, MALFORMED),
        # GitHub says it in a 200
        ("github", {"error": "bad_refresh_token"}, 200, DEAD),
        ("github", {"error": "incorrect_client_credentials"}, 200, CLIENT),
        # Slack too
        ("slack", {"ok": False, "error": "invalid_refresh_token"}, 200, DEAD),
        ("slack", {"ok": False, "error": "token_revoked"}, 200, DEAD),
        ("slack", {"ok": False, "error": "account_inactive"}, 200, DEAD),
        ("slack", {"ok": False, "error": "invalid_grant"}, 200, DEAD),
        ("slack", {"ok": False, "error": "bad_client_secret"}, 200, CLIENT),
        ("slack", {"ok": False, "error": "invalid_client_id"}, 200, CLIENT),
        ("slack", {"ok": False, "error": "ratelimited"}, 200, RATE),
        ("slack", {"ok": False, "error": "internal_error"}, 200, PASSING),
        ("slack", {"ok": False, "error": "missing_scope"}, 200, SCOPE),
        ("slack_app", {"ok": False, "error": "invalid_refresh_token"}, 200, DEAD),
        ("slack_app", {"ok": False}, 200, MALFORMED),
        # X has a sentence for it
        (
            "x",
            {
                "error": "invalid_request",
                "error_description": "Value passed for the token was invalid.",
            },
            400,
            DEAD,
        ),
        (
            "x",
            {"error": "invalid_request", "error_description": "Missing parameter"},
            400,
            MALFORMED,
        ),
        (
            None,
            {"error": "x", "error_description": "Value passed for the token was invalid."},
            400,
            MALFORMED,
        ),
        # Microsoft has numbers
        ("microsoft", microsoft(70008), 400, DEAD),
        ("microsoft", microsoft(700082), 400, DEAD),
        ("microsoft", microsoft(700084), 400, DEAD),
        ("microsoft", microsoft(50173), 400, DEAD),
        ("microsoft", microsoft(50076), 400, DEAD),
        ("microsoft", microsoft(50079), 400, DEAD),
        ("microsoft", microsoft(65001), 400, SCOPE),
        ("microsoft", {**microsoft(7000215), "error": "invalid_client"}, 401, CLIENT),
        ("microsoft", {**microsoft(7000222), "error": "invalid_grant"}, 401, CLIENT),
        ("microsoft", {**microsoft(65001), "error_codes": "none"}, 400, SCOPE),
        ("microsoft", microsoft(999, 65001), 400, SCOPE),
        ("microsoft", microsoft(999), 400, DEAD),
        # Facebook too
        ("facebook", facebook(190), 400, DEAD),
        ("facebook", facebook(2), 400, PASSING),
        ("facebook", facebook(4), 400, RATE),
        ("facebook", facebook(101), 400, CLIENT),
        ("facebook", facebook(100), 400, MALFORMED),
        ("apple", {"error": "invalid_client"}, 400, CLIENT),
        ("apple", {"error": "invalid_grant"}, 400, DEAD),
        ("google", {"error": "deleted_client"}, 401, CLIENT),
    ],
)
def test_each_failure_is_of_one_kind(
    preset: str | None, answer: Any, status: int, kind: FailureKind
) -> None:
    failed = failure(provider_of(preset), answer, status)

    assert failed.kind is kind
    # And only a refusal is permanent
    assert failed.permanent == (isinstance(failed, ProviderRefused))


def test_settings_add_signs_of_failures() -> None:
    house = provider_of(
        None,
        failure_kinds={"gone": "grant_dead", "The vault is shut": "transient"},
        failure_remedies={"gone": "Ask the house."},
    )

    assert failure(house, {"error": "gone"}).kind is DEAD
    assert failure(house, {"error": "gone"}).detail.endswith(": gone. Ask the house.")
    shut = {"error": "gone", "error_description": "Sorry. The vault is shut today."}
    assert failure(house, shut).kind is PASSING
    # A single word is looked for everywhere, as a whole word
    assert failure(house, {"error": "x", "error_description": "It is GONE."}).kind is DEAD
    assert failure(house, {"error": "x", "error_description": "bygones"}).kind is MALFORMED


@pytest.mark.parametrize(
    ("word", "answer", "status"),
    [
        ("token_was_rotated", {"message": "token_was_rotated"}, 400),
        ("token_was_rotated", {"errors": [{"code": "token_was_rotated"}]}, 401),
        ("token_was_rotated", {"errors": [{"errorType": "TOKEN_WAS_ROTATED"}]}, 403),
        ("token_was_rotated", {"status": "token was rotated", "error": "invalid_request"}, 400),
        ("token_was_rotated", {"error": "unauthorized_client", "x": ["token-was-rotated!"]}, 400),
        ("token_was_rotated", {"message": "token_was_rotated"}, 200),
        ("token_was_rotated", {"message": "token_was_rotated"}, 500),
        ("token_was_rotated", b"Sorry: token was rotated.", 400),
        ("token_was_rotated", "token_was_rotated", 400),
        ("token_was_rotated", [{"code": "TOKEN_WAS_ROTATED"}], 500),
        ("4711", {"fault": {"code": 4711}}, 400),
        ("4711", {"errcode": "4711"}, 200),
        *(("status 400", answer, 400) for answer in ({}, {"error": "invalid_request"}, {"a": 1})),
        ("status 401", {}, 401),
        ("status 403", {"message": "Forbidden"}, 403),
        ("status 500", {}, 500),
    ],
)
def test_all_of_an_answer_is_searched_for_the_operators_words(
    word: str, answer: Any, status: int
) -> None:
    house = provider_of(None, failure_kinds={word: "grant_dead"})

    assert failure(house, answer, status).kind is DEAD


@pytest.mark.parametrize(
    ("word", "answer", "status", "kind"),
    [
        # A plainer sign wins over a status
        ("status 401", {"error": "invalid_client"}, 401, CLIENT),
        ("status 429", {"error": "slow_down"}, 400, RATE),
        # A number is no word of a sentence
        ("2", {"error": "x", "error_description": "2 of 3 failed"}, 400, MALFORMED),
        ("1", {"error": "x", "id": 1}, 400, MALFORMED),
    ],
)
def test_a_word_does_not_match_by_chance(
    word: str, answer: Any, status: int, kind: FailureKind
) -> None:
    house = provider_of(None, failure_kinds={word: "grant_dead"})

    assert failure(house, answer, status).kind is kind


STRAVA = {"message": "Bad Request", "errors": [{"resource": "RefreshToken", "code": "invalid"}]}
FITBIT = {"errors": [{"errorType": "invalid_grant", "message": "Refresh token invalid: abc"}]}


@pytest.mark.parametrize(
    ("host", "answer", "status", "kind"),
    [
        # Of any provider
        ("idp.example", {"status": 400, "message": "Invalid refresh token"}, 400, DEAD),
        (
            "auth.atlassian.com",
            {"error": "unauthorized_client", "error_description": "refresh_token is invalid"},
            403,
            DEAD,
        ),
        ("idp.example", {"error": "invalid_request", "hint": "Refresh token expired."}, 400, DEAD),
        ("idp.example", {"errors": [{"code": "invalid_grant"}]}, 401, DEAD),
        ("idp.example", {"message": "Error: invalid_grant"}, 200, DEAD),
        ("idp.example", {"message": "invalid_grant_type"}, 400, MALFORMED),
        ("idp.example", {"error": "invalid_client", "hint": "Invalid refresh token"}, 401, CLIENT),
        ("idp.example", {"error": "unauthorized_client"}, 400, CLIENT),
        # By host
        ("api.fitbit.com", FITBIT, 400, DEAD),
        ("www.strava.com", STRAVA, 400, DEAD),
        ("idp.example", STRAVA, 400, MALFORMED),
        ("api.hubapi.com", {"status": "BAD_REFRESH_TOKEN", "message": "missing"}, 400, DEAD),
        ("id.twitch.tv", {"status": 403, "message": "invalid client secret"}, 403, CLIENT),
        ("accounts.zoho.com", {"error": "invalid_code"}, 200, DEAD),
        ("zoom.us", {"reason": "Invalid Token!", "error": "invalid_request"}, 400, DEAD),
        ("api.weixin.qq.com", {"errcode": 42002, "errmsg": "timed out"}, 200, DEAD),
        ("www.reddit.com", {"message": "Bad Request", "error": 400}, 400, DEAD),
        ("notreddit.com", {"message": "Bad Request", "error": 400}, 400, MALFORMED),
    ],
)
def test_well_known_words_are_data(host: str, answer: Any, status: int, kind: FailureKind) -> None:
    house = provider_of(None, token_endpoint=f"https://{host}/oauth/token")

    assert failure(house, answer, status).kind is kind


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Refresh token inactive", DEAD),
        ("refreshTokenExpired", DEAD),
        ("The refresh_token you sent could not be found.", DEAD),
        ("This refresh token can no longer be used", DEAD),
        ("Unrecognized refresh token", DEAD),
        ("refresh token reuse detected", DEAD),
        ("The refresh token does not exist or is not valid anymore", DEAD),
        ("The refresh token was issued to another client: invalid", MALFORMED),
        ("The refresh_token parameter is missing or invalid", MALFORMED),
        ("Refresh tokens are not supported by this invalid client", MALFORMED),
        ("Unknown grant type refresh_token", MALFORMED),
        ("The token is invalid", MALFORMED),
    ],
)
@pytest.mark.parametrize("member", ["error_description", "message"])
def test_a_dead_refresh_token_is_recognised_in_any_sentence(
    member: str, said: str, kind: FailureKind
) -> None:
    error = {"error": "invalid_request"} if member == "error_description" else {}

    assert failure(provider_of(None), {**error, member: said}).kind is kind


def test_every_well_known_word_has_a_kind() -> None:
    for kinds in (usual_words(), *map(words_of_host, map(at_host, ("zoom.us", "strava.com")))):
        assert kinds
        assert {FailureKind(kind) for kind in kinds.values()}


def at_host(host: str) -> Provider:
    return provider_of(None, token_endpoint=f"https://{host}/oauth/token")


def test_a_refusal_keeps_what_the_provider_answered_cleaned() -> None:
    # Given an answer that repeats tokens, has lines, and says more than one thing
    token = "r3fr3sh-t0ken-0f-0urs"
    long = "x" * 50
    answer = {
        "errors": [{"code": "E7", "message": f"No such token:\n{token} <b>{long}"}],
        "trace": "hidden",
        "access": token,
    }

    refused = failure(provider_of(None), answer, 400)

    assert isinstance(refused, ProviderRefused)
    assert refused.answer == "status 400; code: E7; message: No such token: … b…"
    # And the sentence that is stored does not repeat it
    assert "E7" not in refused.detail


@pytest.mark.parametrize(
    ("preset", "answer", "remedy"),
    [
        ("google", {"error": "invalid_grant"}, "the app is in Testing: publish it"),
        ("microsoft", {**microsoft(7000222), "error": "invalid_client"}, "secret has expired"),
        ("apple", {"error": "invalid_client"}, "key_id, team_id"),
        ("github", {"error": "incorrect_client_credentials"}, "settings on GitHub"),
        (None, {"error": "invalid_client"}, "Check the client's id, its credentials"),
    ],
)
def test_a_failure_names_its_remedy(preset: str | None, answer: Any, remedy: str) -> None:
    assert remedy in failure(provider_of(preset), answer).detail


def test_an_error_repeats_nothing_that_the_provider_wrote() -> None:
    secret = "hunter2 is the secret"
    members = {"error": secret, "error_description": secret, "error_codes": [secret]}

    for status in (200, 400, 401, 429, 500):
        assert "hunter2" not in failure(provider_of("microsoft"), members, status).detail


@pytest.mark.parametrize("answer", [{"ok": False, "error": "ratelimited"}, {"error": "slow_down"}])
def test_a_rate_limit_is_recognised_whatever_the_status(answer: Any) -> None:
    failed = failure(provider_of("slack"), answer, 200, Retry_After="30")

    assert isinstance(failed, ProviderUnreachable)
    assert failed.retry_after_seconds == 30
