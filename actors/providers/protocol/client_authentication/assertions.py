"""Client assertions: JWTs signed by the client's private key in place of a secret (RFC 7523)."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
from collections.abc import Mapping
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jwt import encode

from actors.providers.errors import ProviderNotConfigured
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.published_keys import SIGNATURES, fits_algorithm, is_rsa_too_short
from catfeeder.sealing import Secret

#: Each request has its own assertion, which is useless once it has expired.
_LIFETIME_SECONDS: Final = 300
_EC_ALGORITHMS: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_CERTIFICATE: Final = re.compile(
    r"\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*"
)


class CertificateUnusable(ValueError):
    """Raised for a text that is not one certificate in PEM, of RSA or an elliptic curve."""


class PrivateKeyUnusable(ValueError):
    """Raised for a text that is not a private key in PEM, or whose key cannot sign."""


def read_private_key(pem: Secret) -> tuple[Key, str]:
    """Return a key, and the name of the algorithm to sign with (RFC 7518 section 3.1).

    Raises:
        PrivateKeyUnusable: It is no private key of RSA with 2048 bits or more, an elliptic curve or
            Ed25519.
    """
    # Environment files hold one line a variable: line breaks are written as \\n there.
    text = pem.reveal().replace("\\n", "\n").encode(errors="replace")
    for kind in (ECKey, RSAKey, OKPKey):
        try:
            key = kind.import_key(text)
            algorithm = _algorithm(key)
        except (JoseError, ValueError, TypeError):
            continue
        if key.is_private and algorithm is not None and not is_rsa_too_short(key):
            return key, algorithm
    raise PrivateKeyUnusable


def read_certificate(pem: str) -> tuple[Key, str]:
    """Return the public key of a certificate, and its SHA-256 thumbprint (RFC 7515 4.1.8).

    Raises:
        CertificateUnusable: The text is not one certificate in PEM.
    """
    text = pem.replace("\\n", "\n")
    found = _CERTIFICATE.fullmatch(text)
    for kind in (RSAKey, ECKey) if found else ():
        try:
            key = kind.import_key(text.encode())
            der = base64.b64decode("".join(found[1].split()), validate=True) if found else b""
        except (JoseError, ValueError, TypeError):
            continue
        digest = hashlib.sha256(der).digest()
        return key, base64.urlsafe_b64encode(digest).decode().rstrip("=")
    raise CertificateUnusable


def _algorithm(key: Key) -> str | None:
    match key:
        case ECKey():
            return _EC_ALGORITHMS.get(key.curve_name)
        case RSAKey():
            return "RS256"
        case OKPKey():
            return "Ed25519" if key.curve_name == "Ed25519" else None
    return None


def sign_assertion(provider: Provider, *, issuer: str, audience: str) -> str:
    """Return a JWT that proves to `audience` that we are the client; it lives five minutes.

    Raises:
        ProviderNotConfigured: The private key or the certificate is missing or unusable.
    """
    claims = {"iss": issuer, "sub": provider.client_id, "aud": audience}
    return sign_claims(provider, claims, _LIFETIME_SECONDS)


def sign_claims(
    provider: Provider, claims: Mapping[str, str], lifetime_seconds: int, skew_seconds: int = 0
) -> str:
    """Return a JWT of claims by the provider's private key, with a name and times of its own.

    It begins `skew_seconds` ago, for a provider whose clock is behind.

    Raises:
        ProviderNotConfigured: The private key or the certificate is missing or unusable.
    """
    if provider.private_key is None:
        raise ProviderNotConfigured.lacks(provider.name, "private_key")
    try:
        key, algorithm = read_private_key(provider.private_key)
    except PrivateKeyUnusable:
        raise ProviderNotConfigured(
            f"The private_key of the provider {provider.name} is none in PEM."
        ) from None
    header = {"alg": _choose_algorithm(provider, key, algorithm)}
    header |= {"kid": provider.key_id} if provider.key_id else {}
    if provider.certificate is not None:
        header |= _certificate_header(provider, provider.certificate, key)
    now = int(time.time())
    whole: dict[str, Any] = {
        **claims,
        "jti": secrets.token_urlsafe(16),
        "iat": now - skew_seconds,
        "exp": now + lifetime_seconds - skew_seconds,
    }
    return encode(header, whole, key, registry=SIGNATURES)


def _choose_algorithm(provider: Provider, key: Key, usual: str) -> str:
    """Return the algorithm that the provider's settings choose, else the key's usual one."""
    chosen = provider.token_endpoint_auth_signing_alg
    if chosen is not None and not fits_algorithm(key, chosen):
        raise ProviderNotConfigured(
            f"The token_endpoint_auth_signing_alg {chosen} of the provider {provider.name} "
            f"does not fit its private_key, which signs by {usual}."
        )
    return chosen or usual


def _certificate_header(provider: Provider, certificate: str, key: Key) -> dict[str, str]:
    """Return the header members by which Microsoft Entra recognises the key: its certificate."""
    try:
        public_key, thumbprint = read_certificate(certificate)
    except CertificateUnusable:
        raise ProviderNotConfigured(
            f"The certificate of the provider {provider.name} is none in PEM."
        ) from None
    if public_key.thumbprint() != key.thumbprint():
        raise ProviderNotConfigured(
            f"The certificate of the provider {provider.name} is not that of its private_key."
        )
    # Entra's documentation asks for PS256 with a thumbprint by SHA-256.
    algorithm = {"alg": "PS256"} if isinstance(key, RSAKey) else {}
    return {"typ": "JWT", "x5t#S256": thumbprint, **algorithm}
