"""Checking an id_token: signature, issuer, audience, times, nonce (OpenID Connect Core 3.1.3.7)."""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

from actors.errors import IdTokenInvalid, ProviderMisbehaved
from actors.providers.provider import Provider
from actors.providers.transport import get_json
from catfeeder.sealing import Secret

#: Clocks differ; more than two minutes is no longer a clock that differs.
_LEEWAY_SECONDS: Final = 120
#: Signatures by a key that the provider alone holds; never `none`, never a shared key.
_ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "EdDSA",
)
#: An unknown key id makes us fetch the keys anew, but not more often than this.
_COOL_DOWN_SECONDS: Final = 60
_KEYS_LIVE_SECONDS: Final = 3600


class _KeyCache:
    """The published keys of each provider, per process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, tuple[KeySet, float]] = {}

    def keys(self, jwks_uri: str, key_id: str | None) -> KeySet:
        """Return the keys, fetched anew when they are old or lack `key_id`."""
        with self._lock:
            known = self._found.get(jwks_uri)
            if known is None or self._is_worth_fetching(*known, key_id):
                known = (_fetch_keys(jwks_uri), time.monotonic())
                self._found[jwks_uri] = known
            return known[0]

    @staticmethod
    def _is_worth_fetching(keys: KeySet, fetched_at: float, key_id: str | None) -> bool:
        age = time.monotonic() - fetched_at
        is_unknown = key_id is not None and key_id not in {key.kid for key in keys.keys}
        return age > _KEYS_LIVE_SECONDS or (is_unknown and age > _COOL_DOWN_SECONDS)


_CACHE: Final = _KeyCache()


def _fetch_keys(jwks_uri: str) -> KeySet:
    document = get_json(jwks_uri)
    try:
        return KeySet.import_key_set(document)
    except (JoseError, KeyError, TypeError, ValueError, AttributeError):
        raise ProviderMisbehaved("The provider's published keys cannot be parsed.") from None


def verify_id_token(
    provider: Provider, id_token: Secret, nonce: Secret | None, now: datetime
) -> dict[str, Any]:
    """Return the claims of an id_token that holds.

    Raises:
        IdTokenInvalid: It does not; the sentence says in what.
        ProviderMisbehaved, ProviderUnreachable: The provider's keys cannot be had.
    """
    claims = _verified_claims(provider, id_token.reveal())
    _check_issuer(provider, claims)
    _check_audience(provider, claims)
    _check_times(claims, int(now.timestamp()))
    if nonce is not None and not hmac.compare_digest(
        str(claims.get("nonce", "")).encode(), nonce.reveal_bytes()
    ):
        raise IdTokenInvalid("The id_token's nonce is not the one of this sign-in.")
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise IdTokenInvalid("The id_token has no sub.")
    return claims


def _verified_claims(provider: Provider, text: str) -> dict[str, Any]:
    if provider.jwks_uri is None:
        raise IdTokenInvalid("The provider publishes no keys to check the id_token with.")
    try:
        header = extract_compact(text.encode()).headers()
        key_id = header.get("kid")
        keys = _CACHE.keys(provider.jwks_uri, key_id if isinstance(key_id, str) else None)
        return dict(jwt.decode(text, keys, algorithms=list(_ALGORITHMS)).claims)
    except (JoseError, ValueError, TypeError) as error:
        raise IdTokenInvalid(
            f"The id_token's signature does not hold: {type(error).__name__}."
        ) from None


def _check_issuer(provider: Provider, claims: Mapping[str, Any]) -> None:
    expected = provider.issuer or ""
    if "{tenantid}" in expected:
        expected = expected.replace("{tenantid}", str(claims.get("tid", "")))
    if claims.get("iss") != expected:
        raise IdTokenInvalid("The id_token's iss is not the provider's issuer.")


def _check_audience(provider: Provider, claims: Mapping[str, Any]) -> None:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if provider.client_id not in audiences:
        raise IdTokenInvalid("The id_token's aud is not our client_id.")
    if (len(audiences) > 1 or "azp" in claims) and claims.get("azp") != provider.client_id:
        raise IdTokenInvalid("The id_token's azp is not our client_id.")


def _check_times(claims: Mapping[str, Any], now: int) -> None:
    times = {name: claims.get(name) for name in ("exp", "iat", "nbf")}
    for name, value in times.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise IdTokenInvalid(f"The id_token's {name} is not a time.")
    if times["exp"] is None or times["exp"] <= now - _LEEWAY_SECONDS:
        raise IdTokenInvalid("The id_token has expired, or tells no expiry.")
    if max(times["iat"] or 0, times["nbf"] or 0) > now + _LEEWAY_SECONDS:
        raise IdTokenInvalid("The id_token is not valid yet.")
