"""Tests of id_token validation: forged signatures, wrong claims, and what must be accepted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from actors.errors import AuthError, IdTokenInvalid
from actors.providers.errors import ProviderMisbehaved
from actors.providers.identity.id_tokens import verify_id_token
from actors.providers.protocol.keys import KeyCache
from catfeeder.sealing import Secret
from tests.actors.providers.any_json import any_json
from tests.actors.providers.built import built
from tests.actors.providers.id_token_claims import NONCE, NOW, right_claims, verified
from tests.provider.signing import (
    SigningKeys,
    base64url,
    encoded,
    rsa_key,
    sign_with,
    signed_by_public_key,
    unsigned,
)
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("settings")


def test_a_valid_token_yields_its_claims(provider: ScriptedProvider) -> None:
    claims = right_claims(provider, email="jane@example.com")

    assert verified(provider, provider.keys.sign(claims)) == claims


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        *((lambda: rsa_key(1), name) for name in ("RS256", "RS384", "RS512")),
        *((lambda: rsa_key(1), name) for name in ("PS256", "PS384", "PS512")),
        (lambda: ECKey.generate_key("P-256", {"kid": "ec"}), "ES256"),
        (lambda: ECKey.generate_key("P-384", {"kid": "ec"}), "ES384"),
        (lambda: ECKey.generate_key("P-521", {"kid": "ec"}), "ES512"),
        (lambda: OKPKey.generate_key("Ed25519", {"kid": "okp"}), "Ed25519"),
        (lambda: OKPKey.generate_key("Ed25519", {"kid": "okp"}), "EdDSA"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_asymmetric_algorithm_is_supported(
    key: Callable[[], Key], algorithm: str, provider: ScriptedProvider
) -> None:
    provider.keys.use(key(), algorithm)

    assert verified(provider, provider.keys.sign(right_claims(provider)))["sub"] == "jane"


# -- Forged signatures

Forger = Callable[[SigningKeys, dict[str, Any]], str]


def _with_other_claims(keys: SigningKeys, claims: dict[str, Any]) -> str:
    header, _, signature = keys.sign(claims).split(".")
    return f"{header}.{encoded({**claims, 'sub': 'root'})}.{signature}"


def _without_signature(keys: SigningKeys, claims: dict[str, Any]) -> str:
    header, payload, _ = keys.sign(claims).split(".")
    return f"{header}.{payload}."


def _by_a_key_of_its_own(_keys: SigningKeys, claims: dict[str, Any]) -> str:
    # With the key in its header, where a careless verifier would take it from
    key = rsa_key(3)
    header = {"alg": "RS256", "kid": "key-1", "jwk": key.as_dict(private=False)}
    return sign_with(key, claims, header)


def _by_a_key_elsewhere(_keys: SigningKeys, claims: dict[str, Any]) -> str:
    header = {"alg": "RS256", "kid": "key-1", "jku": "https://evil.example/jwks"}
    return sign_with(rsa_key(3), claims, header)


def _by_a_shared_key(_keys: SigningKeys, claims: dict[str, Any]) -> str:
    secret = OctKey.import_key("client-secret-of-tests-and-more-so-that-it-is-long")
    return sign_with(secret, claims, {"alg": "HS256", "kid": "key-1"})


_FORGERS: list[Forger] = [
    lambda _keys, claims: unsigned(claims),
    lambda _keys, claims: unsigned(claims).replace(".", "..", 1),
    lambda keys, claims: f"{encoded({'alg': 'None'})}.{keys.sign(claims).split('.')[1]}.",
    lambda _keys, claims: f"{encoded({'alg': 'nOnE', 'kid': 'key-1'})}.{encoded(claims)}.",
    signed_by_public_key,
    _with_other_claims,
    _without_signature,
    _by_a_key_of_its_own,
    _by_a_key_elsewhere,
    _by_a_shared_key,
    lambda keys, claims: keys.sign(claims, kid="unknown"),
    lambda keys, claims: keys.sign(claims, kid="../../etc/passwd"),
    lambda keys, claims: keys.sign(claims, kid=5),
    lambda keys, claims: keys.sign(claims, crit=["exp"]),
    lambda keys, claims: keys.sign(claims, crit=["tenant"], tenant="a"),
    lambda keys, claims: keys.sign(claims, crit=[]),
    lambda keys, claims: keys.sign(claims, crit="exp"),
    lambda keys, claims: keys.sign(claims, b64=False, crit=["b64"]),
    lambda keys, claims: keys.sign(claims)[:-40] + "A" * 40,
    lambda keys, claims: keys.sign(claims) + ".",
    lambda keys, claims: keys.sign(claims) + ".a.b",
    lambda _keys, _claims: encoded({"alg": "RS256", "kid": "key-1"}) + f".{'A' * 200_000}.AA",
    lambda _keys, _claims: "",
    lambda _keys, _claims: "..",
    lambda _keys, _claims: "not.a.token",
    lambda _keys, _claims: f"{base64url(b'[' * 300)}.e30.AA",
    lambda _keys, _claims: f"{encoded([])}.e30.AA",
    lambda _keys, _claims: f"{encoded({'alg': []})}.e30.AA",
    lambda _keys, _claims: f"{encoded({})}.e30.AA",
    lambda _keys, _claims: "\ud800.\ud800.\ud800",
    lambda _keys, _claims: "caf\u00e9.e30.AA",
]


@pytest.mark.parametrize("forge", _FORGERS)
def test_a_forged_token_is_refused(forge: Forger, provider: ScriptedProvider) -> None:
    token = forge(provider.keys, right_claims(provider))

    with pytest.raises(IdTokenInvalid):
        verified(provider, token)


def test_a_token_signed_by_an_encryption_key_is_refused(provider: ScriptedProvider) -> None:
    key = RSAKey.import_key({**rsa_key(1).as_dict(private=True), "use": "enc"})
    provider.keys.published = []
    provider.keys.more_entries = [key.as_dict(private=False), rsa_key(2).as_dict(private=False)]

    with pytest.raises(IdTokenInvalid):
        verified(provider, provider.keys.sign(right_claims(provider)))


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_a_short_rsa_key_checks_no_signature(provider: ScriptedProvider) -> None:
    # Given a provider that signs with 1024 bits, which RFC 7518 section 3.3 forbids
    provider.keys.use(RSAKey.generate_key(1024, {"kid": "short"}), "RS256")
    token = provider.keys.sign(right_claims(provider))

    # Then neither that key alone nor that key beside another one is used
    with pytest.raises(ProviderMisbehaved, match="2048"):
        verified(provider, token, KeyCache())
    provider.keys.published.append(rsa_key(2))
    with pytest.raises(IdTokenInvalid):
        verified(provider, token, KeyCache())


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_token_by_a_shared_secret_is_refused_with_its_algorithm_and_the_remedy(
    algorithm: str, provider: ScriptedProvider
) -> None:
    secret = OctKey.import_key(provider.client_secret * 4)
    token = sign_with(secret, right_claims(provider), {"alg": algorithm})

    with pytest.raises(IdTokenInvalid, match=f"signed by {algorithm}") as refusal:
        verified(provider, token)
    assert "RS256" in refusal.value.detail
    assert "openid" in refusal.value.detail


def test_a_published_symmetric_key_is_ignored(provider: ScriptedProvider) -> None:
    key = OctKey.generate_key(256, {"kid": "shared"})
    provider.keys.more_entries = [key.as_dict(private=True)]
    token = sign_with(key, right_claims(provider), {"alg": "HS256", "kid": "shared"})

    with pytest.raises(IdTokenInvalid):
        verified(provider, token)


def test_an_id_token_of_a_provider_without_keys_is_refused(provider: ScriptedProvider) -> None:
    token = provider.keys.sign(right_claims(provider))

    with pytest.raises(IdTokenInvalid, match="publishes no keys"):
        verified(provider, token, jwks_uri=None)


# -- Wrong claims

AT = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        *(
            ({"iss": value}, f"iss is not the provider's issuer: {named} and not http")
            for value, named in (
                ("https://evil.example", "https://evil.example"),
                ("{issuer}/", "http.*/"),
                *((value, r"\(not a URL\)") for value in (None, ["{issuer}"])),
            )
        ),
        *(({"aud": value}, "aud") for value in ("another-client", None, [], ["another-client"])),
        ({"aud": {"client-of-tests": 1}}, "aud"),
        ({"azp": "another-client"}, "azp"),
        ({"aud": ["client-of-tests", "b"], "azp": "b"}, "azp"),
        *(({"exp": at}, "expired") for at in (None, AT - 200, 0, -AT)),
        *(({"exp": at}, "exp is not a time") for at in (str(AT + 300), True, [AT + 300])),
        *(({"exp": float(text)}, "not a signed JWT") for text in ("nan", "inf")),
        ({"iat": None}, "no iat"),
        *(({name: AT + 500}, "not valid yet") for name in ("iat", "nbf")),
        ({"nbf": "later"}, "nbf is not a time"),
        *(({"nonce": text}, "nonce") for text in ("another", None, "", "\ud800", "nonc\u00e9")),
        ({"nonce": ["nonce-of-this-sign-in"]}, "nonce"),
        *(({"sub": text}, "sub") for text in (None, "", "x" * 256, "ja\0ne", "ja\nne", " jane")),
        *(({"sub": value}, "sub") for value in (["jane"], True)),
    ],
)
def test_a_signed_token_with_a_wrong_claim_is_refused(
    changes: dict[str, Any], sentence: str, provider: ScriptedProvider
) -> None:
    if isinstance(changes.get("iss"), str):
        changes = {**changes, "iss": changes["iss"].replace("{issuer}", provider.issuer)}

    with pytest.raises(IdTokenInvalid, match=sentence):
        verified(provider, provider.keys.sign(right_claims(provider, **changes)))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["client-of-tests"]},
        {"aud": ["b", "client-of-tests"]},
        {"aud": ["b", "client-of-tests"], "azp": "client-of-tests"},
        {"azp": "client-of-tests"},
        {"azp": None},
        {"exp": AT - 60},
        {"exp": AT + 300.5},
        {"iat": AT + 60},
        {"nbf": AT + 60},
        {"sub": 12345},
        {"sub": "x" * 255},
    ],
)
def test_claims_within_the_standard_and_clock_skew_are_accepted(
    changes: dict[str, Any], provider: ScriptedProvider
) -> None:
    assert verified(provider, provider.keys.sign(right_claims(provider, **changes)))


def test_a_token_expires_by_the_time_that_is_passed_in(provider: ScriptedProvider) -> None:
    token = Secret(provider.keys.sign(right_claims(provider)))

    with pytest.raises(IdTokenInvalid, match="expired"):
        verify_id_token(built(provider), token, NONCE, NOW + timedelta(seconds=421))


def test_a_nonce_that_was_not_requested_is_not_compared(provider: ScriptedProvider) -> None:
    token = Secret(provider.keys.sign(right_claims(provider, nonce=None)))

    assert verify_id_token(built(provider), token, None, NOW)


@pytest.mark.parametrize("payload", ["[]", "5", '"text"', "null", "[" * 5000, "{", "\xff"])
def test_a_signed_token_without_claims_is_refused(payload: str, provider: ScriptedProvider) -> None:
    keys = provider.keys
    text = f"{encoded({'alg': 'RS256', 'kid': 'key-1'})}.{base64url(payload.encode('latin-1'))}"
    signature = keys.sign_text(text)

    with pytest.raises(IdTokenInvalid):
        verified(provider, f"{text}.{signature}")


# -- A tenant's issuer

TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"


def of_tenant(provider: ScriptedProvider, issuer: str, tenant: Any) -> dict[str, Any]:
    claims = right_claims(provider, iss=f"{provider.issuer}/{issuer}/v2.0", tid=tenant)
    template = f"{provider.issuer}/{{tenantid}}/v2.0"
    return verified(provider, provider.keys.sign(claims), issuer=template)


def test_each_tenant_has_an_issuer_of_its_own(provider: ScriptedProvider) -> None:
    assert of_tenant(provider, TENANT, TENANT)["tid"] == TENANT


@pytest.mark.parametrize(
    ("issuer", "tenant"),
    [
        (TENANT, None),
        (TENANT, "72f988bf-86f1-41af-91ab-2d7cd011db47"),
        ("{tenantid}", None),
        ("{tenantid}", "{tenantid}"),
        ("evil/x", "evil/x"),
        ("", ""),
        (TENANT, [TENANT]),
    ],
)
def test_the_issuer_of_another_tenant_is_refused(
    issuer: str, tenant: Any, provider: ScriptedProvider
) -> None:
    with pytest.raises(IdTokenInvalid, match="iss"):
        of_tenant(provider, issuer, tenant)


# -- Any input

_JSON = any_json(with_floats=True)
_CLAIM_NAMES = st.sampled_from(["iss", "aud", "azp", "exp", "iat", "nbf", "nonce", "sub", "tid"])


@settings(max_examples=50)
@given(changes=st.dictionaries(_CLAIM_NAMES, _JSON, min_size=1, max_size=3))
def test_any_claims_hold_or_are_refused(
    changes: dict[str, Any], provider: ScriptedProvider
) -> None:
    token = provider.keys.sign({**right_claims(provider), **changes})
    try:
        claims = verified(provider, token)
    except AuthError as error:
        error.detail.encode()
    else:
        assert claims["iss"] == provider.issuer
        assert claims["nonce"] == NONCE.reveal()


@settings(max_examples=50)
@given(
    header=_JSON | st.dictionaries(st.sampled_from(["alg", "kid", "crit", "b64", "typ"]), _JSON),
    rest=st.text(max_size=20),
)
def test_any_header_holds_or_is_refused(header: Any, rest: str, provider: ScriptedProvider) -> None:
    with pytest.raises(IdTokenInvalid):
        verified(provider, f"{encoded(header)}.{rest}")
