"""Proving by a signature who the client is: the private key never leaves us (RFC 7523)."""

from __future__ import annotations

import secrets
import time
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jwt import encode

from actors.errors import ProviderNotConfigured
from actors.providers.provider import Provider
from catfeeder.sealing import Secret

#: Made for each request, and of no use to whoever finds it later.
_LIFETIME_SECONDS: Final = 300
_EC_ALGORITHMS: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}


class PrivateKeyUnusable(ValueError):
    """This is not a private key in PEM that signatures can be made with."""


def read_private_key(pem: Secret) -> tuple[Key, str]:
    """Return a key, and the algorithm that it signs by.

    Raises:
        PrivateKeyUnusable: It is no private key of RSA, an elliptic curve or Ed25519.
    """
    # An environment file has no lines, so they are written as \\n there.
    text = pem.reveal().replace("\\n", "\n").encode(errors="replace")
    for kind in (ECKey, RSAKey, OKPKey):
        try:
            key = kind.import_key(text)
            algorithm = _algorithm(key)
        except (JoseError, ValueError, TypeError):
            continue
        if key.is_private and algorithm is not None:
            return key, algorithm
    raise PrivateKeyUnusable


def _algorithm(key: Key) -> str | None:
    match key:
        case ECKey():
            return _EC_ALGORITHMS.get(key.curve_name)
        case RSAKey():
            return "RS256"
        case OKPKey():
            return "Ed25519" if key.curve_name == "Ed25519" else None
    return None


def signed_assertion(provider: Provider, *, issuer: str, audience: str) -> str:
    """Return a JWT by which `issuer` says to `audience` that we are the client, for five minutes.

    Raises:
        ProviderNotConfigured: There is no private key to sign it with.
    """
    if provider.private_key is None:
        raise ProviderNotConfigured(f"The provider {provider.name} has no private_key.")
    try:
        key, algorithm = read_private_key(provider.private_key)
    except PrivateKeyUnusable:
        raise ProviderNotConfigured(
            f"The private_key of the provider {provider.name} is none in PEM."
        ) from None
    header = {"alg": algorithm} | ({"kid": provider.key_id} if provider.key_id else {})
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": provider.client_id,
        "aud": audience,
        "jti": secrets.token_urlsafe(16),
        "iat": now,
        "exp": now + _LIFETIME_SECONDS,
    }
    return encode(header, claims, key, algorithms=[algorithm])
