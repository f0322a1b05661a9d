"""Fuzzed provider answers: each yields a result or a typed error, and no secret comes out."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from actors.oauth.exchange import exchange_code
from actors.oauth.user_info import fetch_user_info
from actors.renewal.renew import renew_connection
from catfeeder.errors import CatFeederError
from catfeeder.results import Profile
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.provider_health import TAB_PROVIDER_HEALTH
from models.renewal.journal import TAB_ATTEMPTS
from tests.actors.renewals import tokens_of
from tests.actors.sign_ins import (
    NAME,
    come_back,
    configure,
    configure_plain,
    configure_preset,
    reread,
    sign_in,
    status_of,
    stored_connections,
)
from tests.provider.answers import Answer
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")

#: Stands in answers wherever a provider could put a secret, and must never come out again.
CANARY: Final = "canary-4f9a17c0e2"
_any_answer = settings(max_examples=12)
_TEXTS = st.sampled_from(
    ["", CANARY, f"a {CANARY}", "Bearer", "a@b.example", "true", "0", "\0", "\ud800", "https://a/b"]
) | st.text(max_size=20)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["code", "type", "data", "id", "url"]), inner, max_size=3)
    ),
    max_leaves=5,
)
_MEMBERS: Final = (
    *("access_token", "refresh_token", "id_token", "token_type", "expires_in", "expires", "scope"),
    *("error", "error_description", "ok", "sub", "id"),
    *("email", "email_verified", "name", "picture"),
)
_OBJECTS = st.dictionaries(st.sampled_from(_MEMBERS), _VALUES, max_size=6)


def _body(members: Any) -> bytes:
    return json.dumps(members).encode()


def _form(members: dict[str, Any]) -> bytes:
    texts = {name: str(value) for name, value in members.items()}
    return urlencode(texts, errors="replace").encode()


#: Where a provider could quote what it was sent.
_QUOTING: Final[tuple[dict[str, Any], ...]] = (
    {"error": CANARY},
    {"error": {"code": CANARY, "type": CANARY}},
    {"ok": False, "error": CANARY},
    {"error": "invalid_request", "error_description": CANARY},
    {"access_token": f"{CANARY}\n"},
    {"access_token": CANARY, "refresh_token": f"{CANARY}\0"},
    {"access_token": CANARY, "id_token": CANARY, "token_type": f"{CANARY} {CANARY}"},
)
_BODIES = (
    _OBJECTS.map(_body)
    | st.sampled_from(_QUOTING).map(_body)
    | st.sampled_from(_QUOTING).map(_form)
    | _OBJECTS.map(lambda members: _body({"access_token": f"{CANARY}-token", **members}))
    | _OBJECTS.map(lambda members: _body({"sub": "248289761001", "id": 7, **members}))
    | _OBJECTS.map(_form)
    | _VALUES.map(_body)
    | st.binary(max_size=40)
)
_ANSWERS = st.builds(
    Answer,
    st.sampled_from([*[200] * 9, 201, 204, 302, *[400] * 3, 401, 404, 429, 503]),
    _BODIES,
    st.sampled_from(
        [
            *[{"Content-Type": "application/json"}] * 4,
            {"Content-Type": "text/html; charset=utf-7"},
            {"Content-Type": CANARY, "Location": f"https://{CANARY}.example/"},
            {"Retry-After": CANARY, "WWW-Authenticate": f'Bearer error="{CANARY}"'},
            {"Content-Encoding": "gzip"},
        ]
    ),
)

_MAYBE = st.none() | _ANSWERS
_JSON_ANSWER: Final = {"Content-Type": "application/json"}
_TOKENS: Final = {"access_token": f"{CANARY}-token", "refresh_token": CANARY, "expires_in": 3600}
_USER: Final = {"sub": "248289761001", "id": "248289761001", "name": "Jane", "email": "a@b.example"}
#: What is tried in any case, whatever else is.
_CERTAIN: Final = (
    *(Answer(200, _body(members), _JSON_ANSWER) for members in _QUOTING),
    Answer(400, _body(_QUOTING[1]), _JSON_ANSWER),
    Answer(400, _form(_QUOTING[3]), {"Content-Type": "application/x-www-form-urlencoded"}),
    Answer(200, _body({"ok": True, **_TOKENS}), _JSON_ANSWER),
    Answer(200, _body({"ok": True, **_USER}), _JSON_ANSWER),
)

_Test = TypeVar("_Test", bound=Callable[..., None])


def _certainly(**none_of: None) -> Callable[[_Test], _Test]:
    """Try what is certain as the first answer and as the second, the others being as usual."""

    def tried(test: _Test) -> _Test:
        for name in list(none_of)[:2]:
            for answer in _CERTAIN:
                test = example(**{**none_of, name: answer})(test)
        return test

    return tried


def failure_of(act: Callable[[], Any]) -> CatFeederError | None:
    """Perform something that may fail in one way alone; make sure that no secret comes out."""
    try:
        act()
    except CatFeederError as error:
        shown = [str(error), repr(error), error.detail, str(error.__cause__)]
        assert CANARY not in "".join(shown), "a secret of the provider's comes out"
        return error
    return None


def give(provider: ScriptedProvider, answers: dict[str, Answer | None]) -> None:
    """Let the provider answer so at these paths, and as it should where there is none."""
    for path, answer in answers.items():
        with contextlib.suppress(KeyError):
            provider.recover(path)
        if answer is not None:
            provider.answer(path, answer)


def forget_failures() -> None:
    """Let the next renewal ask the provider, as if none had failed before."""
    with hold_connection():
        TAB_CONNECTIONS.update(status="active", lease_until=None, failures=0).execute()
        TAB_ATTEMPTS.delete().execute()
        TAB_PROVIDER_HEALTH.erase(NAME)


def _configure(kind: str, provider: ScriptedProvider) -> None:
    if kind == "plain":
        configure_plain(provider)
    elif kind == "openid":
        configure(provider)
    else:
        configure_preset(provider, kind)


@pytest.mark.parametrize(
    "kind",
    ["plain", "openid", "github", "slack", "apple", "facebook", "x", "microsoft", "slack_app"],
)
def test_any_answer_to_a_sign_in_makes_a_connection_or_nothing(
    kind: str, provider: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    _configure(kind, provider)
    secret = provider.client_secret

    @_any_answer
    @given(token=_MAYBE, user_info=_MAYBE, more=_MAYBE)
    @_certainly(token=None, user_info=None, more=None)
    def sign_in_with(token: Answer | None, user_info: Answer | None, more: Answer | None) -> None:
        # Given an answer of the provider's to each question, right or not
        answers = {"/token": token, "/userinfo": user_info}
        give(provider, {**answers, "/user/emails": more, "/debug_token": more})
        back = come_back(provider)
        before = {row.id: row.version for row in stored_connections()}
        # When the code is exchanged
        failure = failure_of(lambda: exchange_code(**back))
        # Then a connection has a token and an account, or nothing has changed
        changed = [row for row in stored_connections() if row.version != before.get(row.id)]
        if failure is not None:
            assert changed == []
            assert status_of(back["state"]) == "failed"
            assert back["code"].reveal() not in failure.detail
        else:
            # An app of Slack's may be given tokens of two accounts, both or none
            assert len(changed) in ((1, 2) if kind == "slack_app" else (1,))
            assert status_of(back["state"]) == "done"
        for row in changed:
            assert row.provider_subject
            assert tokens_of(row)[0] is not None

    with caplog.at_level(logging.DEBUG):
        sign_in_with()
    assert secret not in caplog.text
    # A profile is stored as it was told, and so Peewee's lines show it
    lines = [line for line in caplog.text.splitlines() if '"profile"' not in line]
    assert len(lines) > 100
    assert CANARY not in "".join(lines)


@pytest.mark.parametrize("kind", ["plain", "facebook", "slack", "x"])
def test_any_answer_to_a_renewal_brings_a_token_or_leaves_the_old_one(
    kind: str, provider: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    _configure(kind, provider)
    provider.script.gives_refresh_token = True
    row = sign_in(provider).connection

    @_any_answer
    @given(answer=_ANSWERS)
    @_certainly(answer=None)
    def renew_with(answer: Answer) -> None:
        # Given a connection, and whatever the provider will say
        forget_failures()
        before, tokens = reread(row), tokens_of(row)
        provider.answer("/token", answer)
        # When it is renewed
        failure = failure_of(lambda: renew_connection(row.id))
        # Then it has a new token and a way to the next one, or is as it was but for its status
        after = reread(row)
        assert after.lease_until is None
        if failure is None:
            assert after.version == before.version + 1
            assert tokens[1] is None or tokens_of(row)[1] is not None
            assert after.expires_at is None or after.expires_at > before.created_at
        else:
            assert (after.version, tokens_of(row)) == (before.version, tokens)
            assert after.scope == before.scope
        assert CANARY not in str(after.reason)

    with caplog.at_level(logging.DEBUG):
        renew_with()
    assert CANARY not in caplog.text


@pytest.mark.parametrize("kind", ["plain", "openid", "github", "facebook", "slack", "x"])
def test_any_answer_to_user_info_is_a_profile_or_an_error(
    kind: str, provider: ScriptedProvider
) -> None:
    _configure(kind, provider)
    row = sign_in(provider).connection

    @_any_answer
    @given(answer=_MAYBE, emails=_MAYBE)
    @_certainly(answer=None, emails=None)
    def look(answer: Answer | None, emails: Answer | None) -> None:
        give(provider, {"/userinfo": answer, "/user/emails": emails})
        profiles: list[Profile] = []
        failure_of(lambda: profiles.append(fetch_user_info(NAME, connection_id=row.id)))
        for profile in profiles:
            assert profile["subject"]
            assert profile["email_verified"] in (True, False, None)
            assert profile["email"] is not None or profile["email_verified"] is None
            json.dumps(profile, allow_nan=False).encode()

    look()
