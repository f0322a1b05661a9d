"""Tests of token responses: every form in use is read, and anything else is a typed error."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any, Final

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st

from actors.errors import AuthError
from actors.providers.errors import ProviderMisbehaved, ProviderRefused
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.tokens.answers import TokenResponse, read_tokens
from tests.actors.providers.any_json import any_json

PROVIDER = Provider(
    name="scripted",
    client_id="client",
    client_secret=None,
    authorization_endpoint="https://idp.example/authorize",
    token_endpoint="https://idp.example/token",
    default_lifetime_seconds=1234,
)


def answered(body: bytes, status: int = 200) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = body
    return response


def read(members: object, status: int = 200) -> TokenResponse:
    return read_tokens(answered(json.dumps(members).encode(), status), PROVIDER)


def spell_time(seconds: int) -> list[str]:
    """Return a time as ISO 8601 writes it in different ways, and as an HTTP date."""
    at = datetime.fromtimestamp(seconds, UTC)
    there = at.astimezone(timezone(timedelta(hours=2)))
    return [
        at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        at.strftime("%Y-%m-%dT%H:%M:%S.0000000Z"),
        at.strftime("%Y-%m-%d %H:%M:%S"),
        at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        there.isoformat(),
        there.strftime("%Y-%m-%dT%H:%M:%S%z"),
        at.strftime("%Y%m%dT%H%M%SZ"),
        format_datetime(at, usegmt=True),
    ]


def test_a_standard_token_answer_is_read() -> None:
    # The example of RFC 6749 section 5.1
    tokens = read(
        {
            "access_token": "2YotnFZFEjr1zCsicMWpAA",
            "token_type": "example",
            "expires_in": 3600,
            "refresh_token": "tGzv3JOkF0XG5Qx2TlKWIA",
            "example_parameter": "example_value",
        }
    )

    assert tokens.access_token.reveal() == "2YotnFZFEjr1zCsicMWpAA"
    assert tokens.refresh_token is not None
    assert tokens.refresh_token.reveal() == "tGzv3JOkF0XG5Qx2TlKWIA"
    assert (tokens.token_type, tokens.expires_in) == ("example", 3600)
    assert (tokens.scope, tokens.id_token) == (None, None)
    # And its repr hides them
    assert "2YotnFZFEjr1zCsicMWpAA" not in repr(tokens)


def test_a_form_encoded_token_answer_is_read() -> None:
    body = b"access_token=gho_abc%2B1&scope=repo%2Cgist&token_type=bearer&expires=5183944"

    tokens = read_tokens(answered(body), PROVIDER)

    assert tokens.access_token.reveal() == "gho_abc+1"
    assert (tokens.token_type, tokens.scope, tokens.expires_in) == ("Bearer", "repo gist", 5183944)


@pytest.mark.parametrize(
    ("stated", "seconds"),
    [
        *((stated, 3600) for stated in (3600, "3600", "3600.0")),
        (3599.9, 3599),
        (315_360_000, 315_360_000),
        # Without a usable value the default of the provider's settings applies
        *((stated, 1234) for stated in (None, 0, -1, True, "", "soon", "-5", "\u0663")),
        *((stated, 1234) for stated in (10**30, 1e300, "9" * 400, [3600], {"seconds": 3600})),
    ],
)
def test_a_lifetime_is_read_or_the_default_applies(stated: object, seconds: int) -> None:
    assert read({"access_token": "a", "expires_in": stated}).expires_in == seconds


_ASKED_AT: Final = datetime.fromtimestamp(1_700_000_000, UTC)
_END: Final = 1_700_000_500


@pytest.mark.parametrize(
    "members",
    [
        {"expires": 500},
        {"expires": 500, "expires_in": None},
        {"expires": 60, "expires_in": 500},
        {"expires_in": 0, "expires_at": _END},
        {"expiresIn": "500"},
        {"access_token_expires_in": 500},
        # A point in time: Unix seconds, milliseconds and microseconds
        {"expires": _END},
        {"expires_on": str(_END)},
        {"expires_at": _END * 1000},
        {"expires_in": f"{_END}000"},
        {"expiry_date": _END * 1_000_000},
        # ISO 8601 and RFC 9110
        *({"expires_at": text} for text in spell_time(_END)),
        {"accessTokenExpiresAt": spell_time(_END)[0]},
        {"accessTokenExpirationDate": spell_time(_END)[0]},
        {".expires": spell_time(_END)[-1]},
    ],
    ids=str,
)
def test_an_end_is_read_in_each_spelling(members: dict[str, object]) -> None:
    body = json.dumps({"access_token": "a", **members}).encode()

    tokens = read_tokens(answered(body), PROVIDER, _ASKED_AT)

    assert (tokens.expires_in, tokens.states_lifetime) == (500, True)


@pytest.mark.parametrize(
    "stated",
    [_END - 1000, "2001-02-03T04:05:06Z", "9999-12-31T23:59:59Z", "2026-13-01", "never", 0, "0"],
)
def test_an_end_that_cannot_be_meant_is_as_none(stated: object) -> None:
    body = json.dumps({"access_token": "a", "expires_at": stated}).encode()

    tokens = read_tokens(answered(body), PROVIDER, _ASKED_AT)

    assert (tokens.expires_in, tokens.states_lifetime) == (1234, False)


@pytest.mark.parametrize(
    ("members", "seconds"),
    [
        ({"refresh_token_expires_in": 600}, 600),
        ({"refresh_expires_in": "600"}, 600),
        ({"refreshTokenExpiresIn": 600}, 600),
        ({"refresh_token_expires_at": 1_700_000_600}, 600),
        ({"refreshTokenExpiresAt": "2023-11-14T22:23:20Z"}, 600),
        ({"refresh_expires_in": 0}, None),
    ],
)
def test_the_end_of_a_refresh_token_is_read_in_each_spelling(
    members: dict[str, object], seconds: int | None
) -> None:
    body = json.dumps({"access_token": "a", "expires_at": 1_700_000_300, **members}).encode()

    # An answer that was kept is read later, and its points in time count from when it was asked for
    tokens = read_tokens(answered(body), PROVIDER, _ASKED_AT)

    assert (tokens.expires_in, tokens.refresh_token_expires_in) == (300, seconds)


@pytest.mark.parametrize(
    ("stated", "scope"),
    [
        ("openid email", "openid email"),
        ("  openid \t email\n", "openid email"),
        ("read:user,user:email", "read:user user:email"),
        ("read:user, user:email", "read:user user:email"),
        (["openid", "email"], "openid email"),
        (["openid", 5, None], "openid"),
        *((stated, None) for stated in ("", None, 5)),
        ({}, None),
        ("a\0b\ud800", "a\ufffdb\ufffd"),
    ],
)
def test_a_scope_is_written_with_single_spaces(stated: object, scope: str | None) -> None:
    assert read({"access_token": "a", "scope": stated}).scope == scope


@pytest.mark.parametrize("stated", [None, "", 5, [], "a b", "x" * 65, "caf\u00e9", "a\nb"])
def test_an_invalid_token_type_becomes_bearer(stated: object) -> None:
    assert read({"access_token": "a", "token_type": stated}).token_type == "Bearer"


@pytest.mark.parametrize(
    ("stated", "token_type"),
    [
        *((stated, "Bearer") for stated in ("bearer", "BEARER", "Bearer", " bearer ")),
        ("dpop", "DPoP"),
        ("example", "example"),
    ],
)
def test_a_token_type_is_written_as_an_authorization_header_has_it(
    stated: str, token_type: str
) -> None:
    # RFC 6749 section 5.1: it is case insensitive; some APIs are not
    assert read({"access_token": "a", "token_type": stated}).token_type == token_type


@pytest.mark.parametrize("nothing", [False, True, 0, 5, [], {}, ["a"], {"value": "a"}])
@pytest.mark.parametrize("name", ["refresh_token", "id_token"])
def test_an_optional_token_that_is_no_text_is_none(name: str, nothing: object) -> None:
    tokens = read({"access_token": "a", name: nothing})

    assert (tokens.access_token.reveal(), getattr(tokens, name)) == ("a", None)


@pytest.mark.parametrize("token", [5, True, ["a"], {"a": 1}])
def test_an_access_token_that_is_no_text_is_refused(token: object) -> None:
    with pytest.raises(ProviderMisbehaved, match="access_token"):
        read({"access_token": token})


@pytest.mark.parametrize("token", ["a\nb", "a\0", "caf\u00e9", "\ud800", "\x7f"])
@pytest.mark.parametrize("name", ["access_token", "refresh_token", "id_token"])
def test_a_token_with_invalid_characters_is_refused(name: str, token: object) -> None:
    with pytest.raises(ProviderMisbehaved, match=name):
        read({"access_token": "a", name: token})


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"null", b"[]", b"5", b'"access_token"', b"{}"),
        *(b'{"access_token": null}', b'{"access_token": ""}', b"<html>access_token=a</html>"),
        *(b"\xff\xfe\xfa", b"access_token=", b"&" * 1000, b"[" * 5000),
        b"a=b&" * 100 + b"access_token=a",
    ],
)
def test_an_answer_without_a_token_is_refused(body: bytes) -> None:
    with pytest.raises(ProviderMisbehaved, match="no access token"):
        read_tokens(answered(body), PROVIDER)


@pytest.mark.parametrize("status", [200, 400, 401])
@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"error": "invalid_grant"}, "invalid_grant"),
        (
            {"error": "bad_verification_code", "error_description": "secret"},
            "bad_verification_code",
        ),
        ({"ok": False, "error": "invalid_refresh_token"}, "invalid_refresh_token"),
        ({"ok": False, "error": "token_revoked", "access_token": "a"}, "token_revoked"),
        ({"error": {"message": "secret", "type": "OAuthException", "code": 190}}, "190"),
        ({"error": {"type": "OAuthException"}}, "OAuthException"),
        # A refusal without a code that can be shown
        *(
            (members, "it gave no error code")
            for members in (
                *({"ok": False}, {"error": {}, "ok": False}, {"error": ["invalid_grant"]}),
                *({"error": True, "access_token": "a"}, {"error": "s3cr3t-0f-0urs"}),
                *({"error": "invalid grant\r\nX: y"}, {"error": "x" * 49}),
            )
        ),
    ],
)
def test_a_refusal_has_its_error_code_whatever_the_status(
    members: dict[str, Any], error: str, status: int
) -> None:
    with pytest.raises(ProviderRefused) as refusal:
        read(members, status)

    assert refusal.value.error == error
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    "error",
    [
        *(None, "", False, 0, "0", "ok", "OK", "none", "success", {}, {"code": 0, "message": "OK"}),
        *({"code": "ok", "message": "", "log_id": "1"}, {"code": "", "message": ""}, {"code": "0"}),
    ],
)
def test_an_empty_error_is_no_error(error: object) -> None:
    assert read({"error": error, "ok": True, "access_token": "a"}).access_token


@pytest.mark.parametrize("status", [300, 304, 400, 401, 404, 418])
def test_only_a_status_of_success_yields_a_token(status: int) -> None:
    is_error = status >= 400
    sentence = f"status {status}" if is_error else "no access token"
    with pytest.raises(ProviderRefused if is_error else ProviderMisbehaved, match=sentence):
        read({"access_token": "a"}, status)


_JSON = any_json(leaves=8, with_floats=True)
_TOKENS = ["access_token", "refresh_token", "id_token"]
_OTHERS = ["token_type", "expires_in", "expires", "scope", "error", "ok"]
_NAMES = st.sampled_from([*_TOKENS, *_OTHERS])
_BODIES = (
    st.binary()
    | st.dictionaries(_NAMES | st.text(), _JSON).map(lambda members: json.dumps(members).encode())
    | _JSON.map(lambda value: json.dumps(value).encode())
)


@given(body=_BODIES, status=st.integers(100, 599))
@example(body=b'{"access_token": "a", "expires_in": ' + b"9" * 5000 + b"}", status=200)
@example(body=b'{"access_token": "a", "expires_in": 1e999}', status=200)
@example(body=b'{"access_token": "a", "scope": "\\ud800"}', status=200)
def test_any_answer_is_tokens_or_a_typed_error(body: bytes, status: int) -> None:
    try:
        tokens = read_tokens(answered(body, status), PROVIDER)
    except AuthError as error:
        error.detail.encode()
    else:
        # And every header and every table accepts them
        tokens.access_token.reveal().encode("ascii")
        (tokens.scope or "").encode()
        assert "\0" not in (tokens.scope or "")
        assert len(tokens.token_type) <= 64
        assert tokens.expires_in is not None
        assert 0 < tokens.expires_in <= 315_360_000
