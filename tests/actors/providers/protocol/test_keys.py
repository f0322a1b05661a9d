"""Tests of the JWK set cache: keys are fetched when needed, and no provider is asked too often."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from actors.errors import IdTokenInvalid, ProviderMisbehaved, ProviderUnreachable
from actors.providers.protocol.keys import KeyCache
from tests.actors.providers.clock import Clock
from tests.actors.providers.id_token_claims import right_claims, verified
from tests.provider.answers import Answer, html_answer, json_answer, json_text
from tests.provider.signing import rsa_key
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("settings")

Sign = Callable[..., str]
Verify = Callable[[str], dict[str, Any]]


@pytest.fixture
def clock() -> Clock:
    """The clock of `verify`'s key cache."""
    return Clock()


@pytest.fixture
def verify(clock: Clock, provider: ScriptedProvider) -> Verify:
    """Checks an id_token with the keys of a cache of this test's own."""
    return partial(verified, provider, key_cache=KeyCache(clock))


@pytest.fixture
def sign(provider: ScriptedProvider) -> Sign:
    """Signs the right claims with the provider's current key; takes members of the header."""
    return lambda **header: provider.keys.sign(right_claims(provider), **header)


def fetches(provider: ScriptedProvider) -> int:
    return len(provider.requests_for("/jwks"))


def test_keys_are_fetched_once_and_anew_after_an_hour(
    clock: Clock, provider: ScriptedProvider, sign: Sign, verify: Verify
) -> None:
    token = sign()
    for _ in range(3):
        verify(token)
    assert fetches(provider) == 1

    clock.seconds += 3601
    verify(token)
    assert fetches(provider) == 2


def test_a_withdrawn_key_is_not_trusted_after_an_hour(
    clock: Clock, provider: ScriptedProvider, sign: Sign, verify: Verify
) -> None:
    token = sign()
    verify(token)
    provider.keys.rotate()

    clock.seconds += 3601
    with pytest.raises(IdTokenInvalid):
        verify(token)


def test_an_unknown_key_causes_one_fetch_a_minute(
    clock: Clock, provider: ScriptedProvider, sign: Sign, verify: Verify
) -> None:
    # Given known keys, and a provider that signs with a new one
    verify(sign())
    provider.keys.rotate()
    token = sign()

    # Then the new one is not fetched within the same minute
    for _ in range(3):
        clock.seconds += 19
        with pytest.raises(IdTokenInvalid):
            verify(token)
    assert fetches(provider) == 1

    # But after it, once
    clock.seconds += 4
    assert verify(token)
    assert verify(token)
    assert fetches(provider) == 2

    # And a flood of unknown keys does not reach the provider
    for number in range(20):
        clock.seconds += 2
        with pytest.raises(IdTokenInvalid):
            verify(sign(kid=f"x{number}"))
    assert fetches(provider) == 2


def test_known_keys_stay_in_use_while_the_provider_is_unreachable(
    clock: Clock, provider: ScriptedProvider, sign: Sign, verify: Verify
) -> None:
    token = sign()
    verify(token)
    provider.answer("/jwks", Answer(503))
    clock.seconds += 3601

    assert verify(token)
    assert verify(token)

    # And it is not asked at every token
    assert fetches(provider) == 2


def test_an_outage_is_reported_and_soon_tried_again(
    clock: Clock, provider: ScriptedProvider, sign: Sign, verify: Verify
) -> None:
    token = sign()
    provider.answer("/jwks", Answer(503))

    for _ in range(3):
        with pytest.raises(ProviderUnreachable):
            verify(token)
    assert fetches(provider) == 1

    provider.recover("/jwks")
    clock.seconds += 6
    assert verify(token)


def test_a_provider_that_hangs_delays_no_other(provider: ScriptedProvider) -> None:
    # Given a provider whose keys do not come while a thread waits for them
    cache, known = KeyCache(), []
    hanging, answering = (f"{provider.issuer}/{path}" for path in ("hanging", "jwks"))
    provider.answer("/hanging", json_answer(provider.keys.key_set()))
    gate = provider.hold("/hanging")
    waiting = threading.Thread(target=lambda: known.append(cache.keys(hanging, None)))
    waiting.start()
    gate.await_arrival()

    # Then those of another one are fetched meanwhile
    assert cache.keys(answering, None)

    gate.open()
    waiting.join()
    assert len(known) == 1


def test_threads_that_wait_for_keys_share_one_fetch(
    provider: ScriptedProvider, sign: Sign, verify: Verify
) -> None:
    gate, token = provider.hold("/jwks"), sign()
    waiting = [threading.Thread(target=verify, args=(token,)) for _ in range(4)]
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
def test_an_unusable_entry_spoils_no_other(
    entry: Any, provider: ScriptedProvider, sign: Sign, verify: Verify
) -> None:
    provider.keys.more_entries = [entry]

    assert verify(sign())


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
    answer: Answer, provider: ScriptedProvider, sign: Sign, verify: Verify
) -> None:
    provider.answer("/jwks", answer)

    with pytest.raises(ProviderMisbehaved):
        verify(sign())


# -- Tokens without a key id


@pytest.mark.parametrize("has_key_id", [True, False])
@pytest.mark.parametrize("has_encryption_key", [True, False])
def test_a_token_without_key_id_is_checked_with_the_only_key_for_signatures(
    has_key_id: bool,
    has_encryption_key: bool,
    provider: ScriptedProvider,
    sign: Sign,
    verify: Verify,
) -> None:
    entry = rsa_key(1).as_dict(private=False)
    if not has_key_id:
        del entry["kid"]
    other = {**rsa_key(2).as_dict(private=False), "use": "enc"}
    provider.keys.published = []
    provider.keys.more_entries = [entry, other] if has_encryption_key else [entry]

    assert verify(sign(kid=None))


def test_an_encryption_key_alone_checks_no_signature(
    provider: ScriptedProvider, sign: Sign, verify: Verify
) -> None:
    provider.keys.published = []
    provider.keys.more_entries = [{**rsa_key(1).as_dict(private=False), "use": "enc"}]

    with pytest.raises(ProviderMisbehaved, match="no key"):
        verify(sign(kid=None))


def test_an_unknown_member_of_the_header_is_ignored(sign: Sign, verify: Verify) -> None:
    assert verify(sign(typ="JWT", tenant="a"))
