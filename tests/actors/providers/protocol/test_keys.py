"""Tests of the JWK set cache: keys are fetched when needed, and no provider is asked too often."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import pytest
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from actors.errors import IdTokenInvalid
from actors.providers.errors import ProviderMisbehaved, ProviderUnreachable
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


def test_a_new_key_is_fetched_at_once(
    clock: Clock, provider: ScriptedProvider, sign: Sign, verify: Verify
) -> None:
    # Given known keys, and a provider that signs with a new one a second later
    verify(sign())
    provider.keys.rotate()
    clock.seconds += 1

    # Then the new one is fetched, once
    assert verify(sign())
    assert verify(sign())
    assert fetches(provider) == 2


def test_unknown_keys_cause_a_few_fetches_a_minute(
    clock: Clock, provider: ScriptedProvider, sign: Sign, verify: Verify
) -> None:
    # Given a flood of id_tokens that each name another unknown key, over a minute
    verify(sign())
    for number in range(60):
        clock.seconds += 1
        with pytest.raises(IdTokenInvalid):
            verify(sign(kid=f"x{number}"))

    # Then the provider was asked a few times
    assert fetches(provider) <= 6

    # And a key that is new after it is known within twenty seconds
    provider.keys.rotate()
    clock.seconds += 20
    assert verify(sign())


@pytest.mark.parametrize("has_key_id", [True, False])
def test_a_key_that_replaces_another_without_a_new_id_is_fetched(
    has_key_id: bool, clock: Clock, provider: ScriptedProvider, sign: Sign, verify: Verify
) -> None:
    # Given a provider that replaces its key, of the same id or of none
    for number in (1, 2):
        entry = {**rsa_key(number).as_dict(private=False), "kid": "same" if has_key_id else None}
        provider.keys.current, provider.keys.published = rsa_key(number), []
        provider.keys.more_entries = [{k: v for k, v in entry.items() if v is not None}]
        clock.seconds += 1

        # Then its tokens hold
        assert verify(sign(kid="same" if has_key_id else None))
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
    waiting = threading.Thread(target=lambda: known.append(cache.keys(hanging)))
    waiting.start()
    gate.await_arrival()

    # Then those of another one are fetched meanwhile
    assert cache.keys(answering)

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


def _published(*keys: Key, **changes: Any) -> list[dict[str, Any]]:
    """Return entries of a key set, of which each member may be changed; None takes one away."""
    entries: list[dict[str, Any]] = [{**key.as_dict(private=False), **changes} for key in keys]
    return [{name: part for name, part in entry.items() if part is not None} for entry in entries]


_OTHERS: Final = (
    ECKey.generate_key("P-256", {"kid": "ec-256"}),
    ECKey.generate_key("P-384", {"kid": "ec-384"}),
    OKPKey.generate_key("Ed25519", {"kid": "okp"}),
)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(rsa_key(1), "RS256"), (rsa_key(1), "PS256"), (_OTHERS[0], "ES256"), (_OTHERS[2], "Ed25519")],
    ids=["RS256", "PS256", "ES256", "Ed25519"],
)
def test_a_token_without_key_id_is_checked_with_the_only_key_that_fits_its_algorithm(
    key: Key, algorithm: str, provider: ScriptedProvider, sign: Sign, verify: Verify
) -> None:
    # Given one key of RSA among keys of other kinds
    provider.keys.use(key, algorithm)
    provider.keys.published = [rsa_key(1), *_OTHERS]

    assert verify(sign(kid=None))


def test_a_keys_own_algorithm_distinguishes_it_from_another(
    provider: ScriptedProvider, sign: Sign, verify: Verify
) -> None:
    provider.keys.published = []
    other = _published(rsa_key(2), alg="RS512")
    provider.keys.more_entries = _published(rsa_key(1), alg="RS256") + other

    assert verify(sign(kid=None))


def test_a_token_without_key_id_is_refused_where_two_keys_fit(
    provider: ScriptedProvider, sign: Sign, verify: Verify
) -> None:
    provider.keys.published = [rsa_key(1), rsa_key(2)]

    with pytest.raises(IdTokenInvalid, match="no kid"):
        verify(sign(kid=None))


@pytest.mark.parametrize("has_others", [True, False])
def test_the_only_key_without_id_fits_a_token_with_one(
    has_others: bool, provider: ScriptedProvider, sign: Sign, verify: Verify
) -> None:
    provider.keys.published = []
    others = _published(*_OTHERS, rsa_key(2)) if has_others else []
    provider.keys.more_entries = _published(rsa_key(1), kid=None) + others

    assert verify(sign(kid="of the token alone"))


def test_a_token_with_an_id_is_refused_where_two_keys_without_fit(
    provider: ScriptedProvider, sign: Sign, verify: Verify
) -> None:
    provider.keys.published = []
    provider.keys.more_entries = _published(rsa_key(1), rsa_key(2), kid=None)

    with pytest.raises(IdTokenInvalid, match="kid"):
        verify(sign(kid="key-1"))


def test_keys_of_one_id_and_several_kinds_are_distinguished(
    provider: ScriptedProvider, sign: Sign, verify: Verify
) -> None:
    # RFC 7517 section 4.5 lets keys of different kinds share an id
    provider.keys.published = []
    provider.keys.more_entries = _published(*_OTHERS, rsa_key(1), kid="same")

    assert verify(sign(kid="same"))


@pytest.mark.parametrize("key", [rsa_key(1), _OTHERS[0]], ids=["RSA", "EC"])
def test_padded_numbers_are_read(
    key: Key, provider: ScriptedProvider, sign: Sign, verify: Verify
) -> None:
    # Given base64 as many libraries write it
    provider.keys.use(key, "RS256" if isinstance(key, RSAKey) else "ES256")
    [entry] = _published(key)
    for name in {"n", "e", "x", "y"} & entry.keys():
        number = entry[name].replace("-", "+").replace("_", "/")
        entry[name] = number + "=" * (-len(number) % 4)
    provider.keys.published, provider.keys.more_entries = [], [entry]

    assert verify(sign())


@pytest.mark.parametrize(
    "changes",
    [
        {"use": None, "alg": None, "key_ops": None, "x5c": None},
        {"use": "", "alg": "", "kid": "", "key_ops": []},
        {"use": "SIG", "x5c": ["junk"], "x5t": 5},
        {"use": "sig", "key_ops": ["verify", "encrypt"]},
    ],
    ids=["null", "empty", "junk beside", "operations"],
)
def test_members_that_say_nothing_spoil_no_key(
    changes: dict[str, Any], provider: ScriptedProvider, sign: Sign, verify: Verify
) -> None:
    # Given a key with such members, in lines, beside one that is for something else by key_ops
    entry = {**rsa_key(1).as_dict(private=False), **changes}
    entry["n"] = f"{entry['n'][:64]}\r\n{entry['n'][64:]}"
    other = {**rsa_key(2).as_dict(private=False), "key_ops": ["wrapKey"]}
    provider.keys.published, provider.keys.more_entries = [], [entry, other]

    assert verify(sign(kid=None))
    assert verify(sign())


@pytest.mark.parametrize(("published", "named"), [("EdDSA", "Ed25519"), ("Ed25519", "EdDSA")])
def test_either_name_of_an_algorithm_that_was_renamed_fits(
    published: str, named: str, provider: ScriptedProvider, sign: Sign, verify: Verify
) -> None:
    provider.keys.use(_OTHERS[2], named)
    provider.keys.published, provider.keys.more_entries = [], _published(_OTHERS[2], alg=published)

    assert verify(sign())


def test_an_encryption_key_alone_checks_no_signature(
    provider: ScriptedProvider, sign: Sign, verify: Verify
) -> None:
    provider.keys.published = []
    provider.keys.more_entries = [{**rsa_key(1).as_dict(private=False), "use": "enc"}]

    with pytest.raises(ProviderMisbehaved, match="no key"):
        verify(sign(kid=None))
