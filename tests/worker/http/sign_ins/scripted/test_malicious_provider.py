"""Lies of a provider, told during a whole sign-in: each ends in a clear error and is on record.

What each guard does by itself is tested beside it; here the attack is carried out.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any, Final

import httpx
import pytest

from actors.providers.http import pools
from actors.providers.http.happy_eyeballs import connect_any
from actors.providers.protocol.keys import shared_key_cache
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from tests.provider.answers import (
    Answer,
    broken_off,
    dripping,
    endless_body,
    endless_chunk_length,
    gzip_bomb,
    html_answer,
    json_answer,
    json_text,
    not_http,
    redirect_answer,
)
from tests.provider.signing import SigningKeys, encoded, signed_by_public_key, unsigned
from tests.scripted_provider import ScriptedProvider, running_scripted_provider
from tests.waiting import wait_until
from tests.worker.http.answers import assert_problem
from tests.worker.http.sign_ins.scripted.conftest import begin, put_provider

_CALLBACK: Final = "/v1/oauth/callback"
_MAX_BYTES: Final = 65_536
#: Long enough for any honest provider of these tests, on a machine that is busy with others.
_TIMEOUT_SECONDS: Final = 10


pytestmark = pytest.mark.config(
    OAuth={"read_timeout_seconds": _TIMEOUT_SECONDS, "maximum_answer_bytes": _MAX_BYTES}
)


@pytest.fixture
def liar(honest: ScriptedProvider, http: httpx.Client) -> ScriptedProvider:
    """A provider that an attacker runs, or stands in front of."""
    _put(http, honest)
    return honest


def _put(http: httpx.Client, liar: ScriptedProvider, **changes: Any) -> None:
    put_provider(http, "liar", liar, **changes)


def _come_back(browser: httpx.Client, liar: ScriptedProvider) -> httpx.Response:
    """Begin in a browser, consent, and return how the service answers the provider's answer."""
    return browser.get(_CALLBACK, params=liar.consent(begin(browser, "liar")))


def _assert_refused(http: httpx.Client, answer: httpx.Response, *codes: str) -> None:
    """Make sure that a sign-in ended with one of these errors, is on record, and left nothing."""
    code = answer.json()["code"]
    assert code in codes, answer.text
    assert_problem(answer, answer.status_code, code)
    assert 400 <= answer.status_code < 600
    assert answer.status_code != 500
    events = http.get("/v1/events", params={"kind": "sign_in_refused"}).json()["items"]
    assert (events[0]["detail"]["reason"], events[0]["provider"]) == (code, "liar")
    with hold_connection():
        assert TAB_CONNECTIONS.select().count() == 0


def test_the_provider_signs_a_user_in_when_it_does_not_lie(
    browser: httpx.Client, liar: ScriptedProvider
) -> None:
    assert _come_back(browser, liar).status_code == 200


# -- The id_token

Forger = Callable[[SigningKeys, dict[str, Any]], str]


@pytest.mark.parametrize(
    "forger",
    [
        lambda _keys, claims: unsigned(claims),
        lambda _keys, claims: f"{encoded({'alg': 'NoNe'})}.{encoded(claims)}.",
        signed_by_public_key,
        lambda _keys, _claims: "not.a.token",
        lambda _keys, _claims: "x" * 5000,
    ],
    ids=["none", "NoNe", "hs256", "no_token", "long"],
)
def test_a_forged_id_token_is_refused(
    forger: Forger, http: httpx.Client, browser: httpx.Client, liar: ScriptedProvider
) -> None:
    liar.script.make_id_token = forger
    _assert_refused(http, _come_back(browser, liar), "id_token_invalid")


def _wrong_claims() -> list[dict[str, Any]]:
    now = int(time.time())
    return [
        {"iss": "https://accounts.google.com"},
        {"iss": None},
        {"aud": "another-client"},
        {"azp": "another-client"},
        {"aud": ["client-of-tests", "another-client"], "azp": "another-client"},
        {"aud": None},
        {"exp": now - 3600},
        {"exp": None},
        {"exp": "tomorrow"},
        {"nbf": now + 7200},
        {"iat": now + 7200},
        {"iat": None},
        {"nonce": "of-another-sign-in"},
        {"nonce": None},
        {"sub": None},
        # User info is of another user
        {"sub": "another-user"},
    ]


def test_an_id_token_with_a_wrong_claim_is_refused(
    http: httpx.Client, browser: httpx.Client, liar: ScriptedProvider
) -> None:
    for claims in _wrong_claims():
        liar.script.claims = claims
        _assert_refused(http, _come_back(browser, liar), "id_token_invalid")


def test_user_info_about_another_user_is_refused(
    http: httpx.Client, browser: httpx.Client, liar: ScriptedProvider
) -> None:
    liar.script.user_info = {"sub": "another-user"}
    _assert_refused(http, _come_back(browser, liar), "id_token_invalid")


def test_unknown_keys_are_fetched_a_few_times_before_a_cool_down(
    http: httpx.Client, browser: httpx.Client, liar: ScriptedProvider
) -> None:
    # Given a provider each of whose id_tokens names a key that nobody has heard of
    numbers = iter(range(100))
    liar.script.make_id_token = lambda keys, claims: keys.sign(claims, kid=f"new-{next(numbers)}")
    # When users come back from it, one after the other
    for _ in range(6):
        _assert_refused(http, _come_back(browser, liar), "id_token_invalid")
    # Then its keys were fetched a few times, and not again before the cool-down
    assert len(liar.requests_for("/jwks")) == 3


# -- Addresses that lead inside


_INSIDE: Final = (
    "http://169.254.169.254/latest/meta-data/",
    "http://127.0.0.1:6379/",
    "http://[::1]/",
    "http://10.0.0.1/token",
    "http://localhost/token",
    "https://user:password@example.com/token",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "https://example.com\\@127.0.0.1/",
    "https:///token",
    "https://127.0.0.2/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://[::ffff:127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://169.254.169.254/",
)


def test_a_private_address_is_refused_as_a_setting(http: httpx.Client) -> None:
    for name in ("token_endpoint", "issuer", "jwks_uri", "userinfo_endpoint", "base_url"):
        for address in _INSIDE:
            answer = http.put("/v1/providers/other", json={"preset": "gitlab", name: address})
            members = assert_problem(answer, 422, "provider_invalid")
            assert [error["pointer"] for error in members["errors"]] == [f"#/{name}"]
    assert http.get("/v1/providers/other").status_code == 404


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254"])
def test_a_name_of_a_private_address_is_not_called(
    address: str,
    http: httpx.Client,
    browser: httpx.Client,
    liar: ScriptedProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given endpoints that are https, as they should be, of a name that is ourselves
    port = int(liar.host.partition(":")[2])
    resolve = socket.getaddrinfo

    def tell(name: Any, *more: Any, **options: Any) -> Any:
        known = address if name == "inside.example" else name
        return resolve(known, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", tell)
    for name in ("token_endpoint", "userinfo_endpoint", "jwks_uri"):
        _put(http, liar, **{**liar.addresses(), name: f"https://inside.example:{port}/secret"})
        # Then it is never called
        _assert_refused(http, _come_back(browser, liar), "address_forbidden")
    assert liar.requests_for("/secret") == []


def test_a_name_that_is_rebound_to_a_private_address_is_not_called(
    http: httpx.Client,
    browser: httpx.Client,
    liar: ScriptedProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a name server that answers with a public address first, and with ours from then on
    port = int(liar.host.partition(":")[2])
    _put(
        http, liar, **{**liar.addresses(), "token_endpoint": f"https://rebinding.example:{port}/s"}
    )
    resolve, connect = socket.getaddrinfo, connect_any
    told: list[str] = []
    called: list[str] = []

    def tell(name: Any, *more: Any, **options: Any) -> Any:
        if name == "rebinding.example":
            told.append("127.0.0.1" if told else "1.1.1.1")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (told[-1], port))]
        return resolve(name, *more, **options)

    def call(addresses: list[str], *more: Any) -> socket.socket:
        called.extend(addresses)
        if "1.1.1.1" in addresses:
            raise ConnectionRefusedError
        return connect(addresses, *more)

    monkeypatch.setattr(socket, "getaddrinfo", tell)
    monkeypatch.setattr(pools, "connect_any", call)
    answer = _come_back(browser, liar)
    # Then what it told first is what is called, and nothing else
    _assert_refused(http, answer, "provider_unreachable")
    assert (told, "1.1.1.1" in called) == (["1.1.1.1"], True)
    assert liar.requests_for("/s") == []


@pytest.mark.parametrize("path", ["/token", "/userinfo"])
def test_a_redirect_to_a_private_address_is_not_followed(
    path: str, http: httpx.Client, browser: httpx.Client, liar: ScriptedProvider
) -> None:
    with running_scripted_provider() as inside:
        for status in (301, 302, 303, 307, 308):
            liar.answer(path, redirect_answer(f"{inside.issuer}/secret", status))
            answer = _come_back(browser, liar)
            if path == "/token":
                _assert_refused(http, answer, "provider_misbehaved")
            else:
                assert answer.json()["profile"]["source"] == "id_token"
        assert inside.requests == []


def test_metadata_with_a_private_address_is_refused(
    http: httpx.Client, liar: ScriptedProvider
) -> None:
    path = "/v1/oauth/liar/authorize"
    # Given an issuer whose metadata names an address of ours; nobody begins there
    liar.script.metadata = {"token_endpoint": "http://169.254.169.254/token"}
    _put(http, liar)
    _assert_refused(http, http.post(path, json={}), "address_forbidden")
    # And an issuer that speaks for another
    liar.script.metadata = {"issuer": "https://accounts.google.com"}
    _put(http, liar)
    _assert_refused(http, http.post(path, json={}), "provider_misbehaved")


# -- Answers that hurt

_HURTING: Final[dict[str, Callable[[ScriptedProvider], Answer]]] = {
    "too_large": lambda _: json_text('{"access_token": "' + "a" * _MAX_BYTES + '"}'),
    "endless": lambda _: endless_body(),
    "endless_chunk": lambda _: endless_chunk_length(),
    "gzip_bomb": lambda _: gzip_bomb(64),
    "html": lambda _: html_answer(),
    "data_in_a_page": lambda _: Answer(
        200,
        b'{"access_token": "a", "token_type": "Bearer", "sub": "248289761001", "keys": []}',
        {"Content-Type": "text/html"},
    ),
    "not_json": lambda _: json_text("{access_token: 'a'}"),
    "deep": lambda _: json_text("[" * 30_000),
    "nothing": lambda _: Answer(200, b""),
    "a_list": lambda _: json_answer(["access_token"]),
    "broken_off": lambda _: broken_off(),
    "no_http": lambda _: not_http(),
    "no_status": lambda _: Answer(204),
}


@pytest.mark.parametrize("kind", _HURTING)
def test_a_harmful_answer_is_refused(
    kind: str, http: httpx.Client, browser: httpx.Client, liar: ScriptedProvider
) -> None:
    for path in ("/token", "/jwks"):
        liar.answer(path, _HURTING[kind](liar))
        # Then it is cut off, refused and on record
        answer = _come_back(browser, liar)
        _assert_refused(http, answer, "provider_misbehaved", "provider_unreachable")
        liar.recover(path)
        shared_key_cache.cache_clear()
    # And as user info it is cut off too, and nothing of it is in the profile
    liar.answer("/userinfo", _HURTING[kind](liar))
    assert _come_back(browser, liar).json()["profile"]["source"] == "id_token"
    liar.recover("/userinfo")
    # And the next user who comes is signed in
    assert _come_back(browser, liar).json()["profile"]["source"] == "userinfo"


@pytest.mark.config(OAuth={"read_timeout_seconds": 1})
@pytest.mark.parametrize("headers_only", [False, True])
def test_an_answer_that_never_ends_is_cut_off(
    http: httpx.Client, browser: httpx.Client, liar: ScriptedProvider, *, headers_only: bool
) -> None:
    # Given a provider that is known, and then sends byte after byte, slowly
    wait_until(lambda: browser.get("/v1/oauth/liar/login").status_code == 303)
    for path in ("/token", "/jwks"):
        liar.answer(path, dripping(liar.ended, headers_only=headers_only))
        # Then it is cut off, refused and on record
        _assert_refused(http, _come_back(browser, liar), "provider_unreachable")
        liar.recover(path)
        shared_key_cache.cache_clear()
    # And as user info it is cut off too, and the id_token is the profile
    liar.answer("/userinfo", dripping(liar.ended, headers_only=headers_only))
    assert _come_back(browser, liar).json()["profile"]["source"] == "id_token"
    liar.recover("/userinfo")
    # And the next user who comes is signed in
    wait_until(lambda: _come_back(browser, liar).status_code == 200)
