"""Tests of the keys that providers publish: fetched when needed, by nobody too often."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from actors.errors import (
    IdTokenInvalid,
    ProviderMisbehaved,
    ProviderRefused,
    ProviderUnreachable,
)
from actors.providers.protocol import id_tokens
from actors.providers.protocol.keys import KeyCache
from tests.actors.providers.id_token_claims import right_claims, verified
from tests.provider.answers import Answer, html_answer, json_answer, json_text
from tests.provider.signing import rsa_key
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("settings")


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of a key cache of this test's own."""
    made = Clock()
    monkeypatch.setattr(id_tokens, "_KEYS", KeyCache(made))
    return made


def fetches(provider: ScriptedProvider) -> int:
    return len(provider.requests_for("/jwks"))


def test_keys_are_fetched_once_and_anew_after_an_hour(
    clock: Clock, provider: ScriptedProvider
) -> None:
    token = provider.keys.sign(right_claims(provider))
    for _ in range(3):
        verified(provider, token)
    assert fetches(provider) == 1

    clock.seconds += 3601
    verified(provider, token)
    assert fetches(provider) == 2


def test_a_key_that_was_taken_back_is_not_trusted_after_an_hour(
    clock: Clock, provider: ScriptedProvider
) -> None:
    token = provider.keys.sign(right_claims(provider))
    verified(provider, token)
    provider.keys.rotate()

    clock.seconds += 3601
    with pytest.raises(IdTokenInvalid):
        verified(provider, token)


def test_an_unknown_key_makes_us_ask_once_a_minute(
    clock: Clock, provider: ScriptedProvider
) -> None:
    # Given keys that are known, and a provider that signs with a new one
    verified(provider, provider.keys.sign(right_claims(provider)))
    provider.keys.rotate()
    token = provider.keys.sign(right_claims(provider))

    # Then the new one is not asked for within the same minute
    for _ in range(3):
        clock.seconds += 19
        with pytest.raises(IdTokenInvalid):
            verified(provider, token)
    assert fetches(provider) == 1

    # But after it, once
    clock.seconds += 4
    assert verified(provider, token)
    assert verified(provider, token)
    assert fetches(provider) == 2

    # And a flood of keys that nobody knows is no flood at the provider
    for number in range(20):
        clock.seconds += 2
        with pytest.raises(IdTokenInvalid):
            verified(provider, provider.keys.sign(right_claims(provider), kid=f"x{number}"))
    assert fetches(provider) == 2


def test_known_keys_serve_on_while_the_provider_is_out_of_reach(
    clock: Clock, provider: ScriptedProvider
) -> None:
    token = provider.keys.sign(right_claims(provider))
    verified(provider, token)
    provider.answer("/jwks", Answer(503))
    clock.seconds += 3601

    assert verified(provider, token)
    assert verified(provider, token)

    # And it is not asked at every token
    assert fetches(provider) == 2


def test_an_outage_is_told_and_soon_tried_again(clock: Clock, provider: ScriptedProvider) -> None:
    token = provider.keys.sign(right_claims(provider))
    provider.answer("/jwks", Answer(503))

    for _ in range(3):
        with pytest.raises(ProviderUnreachable):
            verified(provider, token)
    assert fetches(provider) == 1

    provider.recover("/jwks")
    clock.seconds += 6
    assert verified(provider, token)


def test_a_provider_that_hangs_holds_up_nobody_elses_users(provider: ScriptedProvider) -> None:
    # Given a provider whose keys do not come, though somebody waits for them
    cache, failures = KeyCache(), []
    gate = provider.hold("/hanging")

    def wait() -> None:
        try:
            cache.keys(f"{provider.issuer}/hanging", None)
        except ProviderRefused as error:
            failures.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    gate.await_arrival()

    # Then those of another one are had meanwhile
    assert cache.keys(f"{provider.issuer}/jwks", None)

    gate.open()
    waiting.join()
    assert len(failures) == 1


def test_whoever_waits_for_keys_shares_the_answer(provider: ScriptedProvider) -> None:
    token = provider.keys.sign(right_claims(provider))
    gate = provider.hold("/jwks")
    waiting = [threading.Thread(target=verified, args=(provider, token)) for _ in range(4)]
    for thread in waiting:
        thread.start()
    gate.await_arrival()
    gate.open()
    for thread in waiting:
        thread.join()

    assert fetches(provider) == 1


@pytest.mark.parametrize(
    "entry",
    [
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "kid": "future"},
        {"kty": "EC", "crv": "BP-256", "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "X9", "x": "AA"},
        {"kty": "RSA"},
        {"kty": "RSA", "n": "***", "e": "AQAB"},
        {"kty": "RSA", "n": 5, "e": []},
        {"kty": []},
        {"kid": "nothing else"},
        {"kty": "RSA", "x5c": "junk", "n": "AA", "e": "AQAB", "use": 5},
        None,
        "text",
        [],
    ],
)
def test_an_entry_that_is_no_key_of_ours_spoils_no_other(
    entry: Any, provider: ScriptedProvider
) -> None:
    provider.keys.more_entries = [entry]

    assert verified(provider, provider.keys.sign(right_claims(provider)))


@pytest.mark.parametrize(
    "answer",
    [
        json_answer([]),
        json_answer({}),
        json_answer({"keys": {}}),
        json_answer({"keys": []}),
        json_answer({"keys": [{"kty": "oct", "k": "AAAA"}]}),
        json_text("[" * 5000),
        html_answer(),
    ],
)
def test_a_key_set_without_keys_is_the_providers_fault(
    answer: Answer, provider: ScriptedProvider
) -> None:
    provider.answer("/jwks", answer)

    with pytest.raises(ProviderMisbehaved):
        verified(provider, provider.keys.sign(right_claims(provider)))


def test_a_token_without_key_id_is_held_against_a_single_key(provider: ScriptedProvider) -> None:
    assert verified(provider, provider.keys.sign(right_claims(provider), kid=None))


def test_a_key_for_another_use_is_not_counted(provider: ScriptedProvider) -> None:
    provider.keys.more_entries = [{**rsa_key(2).as_dict(private=False), "use": "enc"}]
    assert verified(provider, provider.keys.sign(right_claims(provider), kid=None))


def test_a_single_key_for_another_use_vouches_for_nothing(provider: ScriptedProvider) -> None:
    provider.keys.published = []
    provider.keys.more_entries = [{**rsa_key(1).as_dict(private=False), "use": "enc"}]

    with pytest.raises(ProviderMisbehaved, match="no key"):
        verified(provider, provider.keys.sign(right_claims(provider), kid=None))


def test_a_key_without_id_is_found_by_a_token_without_one(provider: ScriptedProvider) -> None:
    entry = {**rsa_key(1).as_dict(private=False)}
    del entry["kid"]
    provider.keys.published = []
    provider.keys.more_entries = [entry]

    assert verified(provider, provider.keys.sign(right_claims(provider), kid=None))


def test_a_header_of_the_providers_own_does_not_matter(provider: ScriptedProvider) -> None:
    assert verified(provider, provider.keys.sign(right_claims(provider), typ="JWT", tenant="a"))
