"""ID token validation: signature, issuer, audience, times, nonce (OpenID Connect Core 3.1.3.7)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jws import extract_compact

from actors.errors import IdTokenInvalid
from actors.providers.http.answers import parse_json
from actors.providers.identity.authentication import Demands, check_authentication
from actors.providers.identity.profiles import subject_text
from actors.providers.identity.signatures import verify_signature
from actors.providers.protocol.issuers import is_issuer, show_issuer
from actors.providers.protocol.keys import KeyCache, shared_key_cache
from actors.providers.protocol.provider import Provider
from catfeeder.sealing import Secret

#: The clock skew that is tolerated.
_LEEWAY_SECONDS: Final = 120
_NO_DEMANDS: Final = Demands()


def verify_id_token(
    provider: Provider,
    id_token: Secret,
    nonce: Secret | None,
    now: datetime,
    key_cache: KeyCache | None = None,
    *,
    demands: Demands = _NO_DEMANDS,
) -> dict[str, Any]:
    """Return the claims of a valid id_token; a `nonce` of None is not compared.

    Raises:
        IdTokenInvalid: The id_token is invalid; the sentence says why.
        LoginTooOld, UnmetAuthenticationRequirements: As `check_authentication`.
        ProviderMisbehaved, ProviderRefused, ProviderUnreachable: The keys cannot be fetched.
    """
    claims = verify_signature(provider, id_token.reveal(), key_cache or shared_key_cache())
    check_issuer(provider, claims)
    check_audience(provider, claims)
    _check_times(claims, int(now.timestamp()))
    check_authentication(claims, demands, now)
    if nonce is not None and not _matches(claims.get("nonce"), nonce):
        raise IdTokenInvalid("The id_token's nonce is not the one of this sign-in.")
    if subject_text(claims.get("sub")) is None:
        raise IdTokenInvalid("The id_token has no sub.")
    return claims


def check_renewed_id_token(provider: Provider, id_token: Secret, subject: str) -> None:
    """Make sure that an id_token beside renewed tokens is about the user who signed in.

    `iss`, `sub` and `aud` have to be the same (OpenID Connect Core section 12.2). Nothing else is
    used, so neither age nor signature matters: the token came from the token endpoint itself
    (section 3.1.3.7, rule 6), and some providers repeat that of the sign-in. One that cannot be
    read says nothing.

    Raises:
        IdTokenInvalid: One of them is another.
    """
    try:
        claims = parse_json(extract_compact(id_token.reveal_bytes()).payload or b"")
    except (JoseError, ValueError, TypeError, RecursionError):
        return
    if not isinstance(claims, dict):
        return
    check_issuer(provider, claims)
    check_audience(provider, claims)
    if subject_text(claims.get("sub")) != subject:
        raise IdTokenInvalid("The id_token's sub is not that of the sign-in.")


def check_issuer(provider: Provider, claims: Mapping[str, Any], name: str = "id_token") -> None:
    """Make sure that `iss` is the provider's issuer; `name` stands in the sentence.

    Raises:
        IdTokenInvalid: It is not.
    """
    if not is_issuer(provider, claims.get("iss"), claims.get("tid")):
        named = show_issuer(claims.get("iss"))
        raise IdTokenInvalid(
            f"The {name}'s iss is not the provider's issuer: {named} and not {provider.issuer}."
        )


def check_audience(provider: Provider, claims: Mapping[str, Any], name: str = "id_token") -> None:
    """Make sure that a token is meant for us; `name` stands in the sentence.

    Raises:
        IdTokenInvalid: `aud` does not list our client_id, or `azp` is another's.
    """
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if provider.client_id not in audiences:
        raise IdTokenInvalid(f"The {name}'s aud is not our client_id.")
    # Of several audiences errata set 2 demands no azp any more; one that is there has to be right.
    if claims.get("azp") not in (None, provider.client_id):
        raise IdTokenInvalid(f"The {name}'s azp is not our client_id.")


def _read_time(claims: Mapping[str, Any], name: str) -> int | float | None:
    value = claims.get(name)
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise IdTokenInvalid(f"The id_token's {name} is not a time.")


def _check_times(claims: Mapping[str, Any], now: int) -> None:
    times = {name: _read_time(claims, name) for name in ("exp", "iat", "nbf")}
    if times["exp"] is None or times["exp"] <= now - _LEEWAY_SECONDS:
        raise IdTokenInvalid("The id_token has expired, or states no expiry.")
    if times["iat"] is None:
        raise IdTokenInvalid("The id_token has no iat: OpenID Connect Core section 2 wants one.")
    if max(times["iat"], times["nbf"] or 0) > now + _LEEWAY_SECONDS:
        raise IdTokenInvalid("The id_token is not valid yet.")


def _matches(claim: Any, nonce: Secret) -> bool:
    return isinstance(claim, str) and hmac.compare_digest(claim.encode(), nonce.reveal_bytes())
