"""JWS validation (RFC 7515): what a provider has signed, checked with its published keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from joserfc.errors import BadSignatureError, DecodeError, JoseError
from joserfc.jwk import Key
from joserfc.jws import deserialize_compact, extract_compact

from actors.errors import IdTokenInvalid
from actors.providers.http.answers import parse_json
from actors.providers.protocol.keys import KeyCache
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.published_keys import ALGORITHMS, SIGNATURES
from actors.telemetry.provider_calls import whose_keys

_SHARED_SECRET: Final = ("HS256", "HS384", "HS512")


def verify_signature(
    provider: Provider, text: str, key_cache: KeyCache, *, name: str = "id_token"
) -> dict[str, Any]:
    """Return the claims of a JWT that the provider has signed; `name` stands in the sentences.

    A signature that does not hold may be by a key that has replaced one of the same id, or of none,
    so the keys are fetched anew before it is refused.

    Raises:
        IdTokenInvalid: The signature does not hold, or there are no claims.
        ProviderMisbehaved, ProviderRefused, ProviderUnreachable: The keys cannot be fetched.
    """
    if provider.jwks_uri is None:
        raise IdTokenInvalid(f"The provider publishes no keys to check the {name} with.")
    whose_keys.set(provider.name)
    try:
        claims = parse_json(_read_signed(provider.jwks_uri, text, key_cache, name))
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise IdTokenInvalid(f"The {name} {_describe(error)}.") from None
    if not isinstance(claims, dict):
        raise IdTokenInvalid(f"The {name} holds no claims.")
    return claims


def _read_signed(jwks_uri: str, text: str, key_cache: KeyCache, name: str) -> bytes:
    """Return the payload that one of the published keys has signed, fetched anew if need be."""
    algorithm, key_id = _read_header(extract_compact(text.encode()).headers(), name)
    key = _find_key(jwks_uri, algorithm, key_id, key_cache, name)
    try:
        return _open(text, key)
    except BadSignatureError:
        key = _find_key(jwks_uri, algorithm, key_id, key_cache, name, refused=key)
        return _open(text, key)


def _describe(error: Exception) -> str:
    """Return what is wrong with a JWT, without a word of it."""
    if isinstance(error, JoseError) and not isinstance(error, DecodeError):
        return "has a signature that does not hold with the provider's key"
    return "is not a signed JWT of three parts with JSON in them"


def _open(text: str, key: Key) -> bytes:
    return deserialize_compact(text, key, registry=SIGNATURES).payload or b""


def _read_header(header: Mapping[str, Any], name: str) -> tuple[str, str | None]:
    """Return `alg` and `kid` of a header without critical extensions (RFC 7515 section 4.1.11)."""
    if "crit" in header:
        raise IdTokenInvalid(f"The {name} has a crit header, and no extension of it is known.")
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(key_id, str | None):
        raise IdTokenInvalid(f"The {name}'s kid is not a text.")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise _refuse_algorithm(algorithm, name)
    return algorithm, key_id or None


def _refuse_algorithm(algorithm: Any, name: str) -> IdTokenInvalid:
    """Name a registered algorithm (RFC 7518 section 3.1), and what helps against it."""
    if algorithm in _SHARED_SECRET:
        return IdTokenInvalid(
            f"The {name} is signed by {algorithm}, with a secret that others may know. Have the "
            "provider sign with a key that it publishes, such as by RS256 or ES256; or take openid "
            "out of scopes, so that user info names the user."
        )
    if algorithm == "none":
        return IdTokenInvalid(f"The {name} is not signed: its algorithm is none.")
    return IdTokenInvalid(f"The {name} is not signed by an algorithm that is accepted.")


def _find_key(
    jwks_uri: str,
    algorithm: str,
    key_id: str | None,
    key_cache: KeyCache,
    name: str,
    *,
    refused: Key | None = None,
) -> Key:
    key = key_cache.find(jwks_uri, algorithm, key_id, refused)
    if key is not None:
        return key
    if refused is not None:
        raise IdTokenInvalid(f"The {name}'s signature does not hold with the provider's key.")
    why = "of its kid" if key_id is not None else "alone, and the token has no kid"
    raise IdTokenInvalid(
        f"The {name}'s signature does not hold: no published key fits {algorithm} {why}."
    )
