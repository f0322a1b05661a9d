"""Client authentication, as a scripted provider checks it (RFC 6749 section 2.3, RFC 7523)."""

from __future__ import annotations

import base64
import hashlib
import time
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import unquote_plus

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jwt import decode

from tests.provider.certificates import certificate_of
from tests.provider.grants import Refused
from tests.provider.server import Request

TEAM_ID: Final = "TEAM123456"
KEY_ID: Final = "KEY1234567"
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_BY_SECRET_ALONE: Final = ("secret_as_basic_username", "secret_as_bearer")
_SIGNED: Final = ("private_key_jwt", "apple_client_secret")


@dataclass(frozen=True)
class Expected:
    """The credentials that a client has to send."""

    method: str
    client_id: str
    client_secret: str
    #: The `aud` of a signed assertion.
    audience: str
    #: Its `iss`, where that is not the client_id.
    issuer: str | None = None
    #: What a signed assertion is signed by, and the key that it is checked with.
    algorithm: str = "ES256"
    #: Decode what RFC 6749 section 2.3.1 encodes, as many servers do not.
    decodes_basic: bool = True
    #: Recognise the key by its certificate, as Microsoft Entra does.
    by_certificate: bool = False


@cache
def client_key(algorithm: str = "ES256") -> ECKey | RSAKey | OKPKey:
    """Return the client's key pair for an algorithm, whose public key the provider has."""
    if algorithm[:2] in ("RS", "PS"):
        return certified_key()[3]
    if algorithm.startswith("Ed"):
        return OKPKey.generate_key("Ed25519")
    return ECKey.generate_key("P-256")


def client_key_pem(algorithm: str = "ES256") -> str:
    """Return the private key in PEM, as a developers' portal offers it."""
    return client_key(algorithm).as_pem(private=True).decode()


@cache
def certified_key() -> tuple[str, str, str, RSAKey]:
    """Return a private key and its certificate in PEM, its thumbprint, and the key."""
    key = generate_private_key(65537, 2048)
    certificate = certificate_of(key)
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    thumbprint = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    text = certificate.public_bytes(Encoding.PEM).decode()
    return pem.decode(), text, thumbprint, RSAKey.import_key(pem)


def check_client(request: Request, expected: Expected) -> None:
    """Refuse a client that authenticates in another way, or in another one besides."""
    if expected.method in _SIGNED:
        _check_signed(request, expected)
        return
    if expected.method in _BY_SECRET_ALONE:
        _check_secret_alone(request, expected)
        return
    secret = "" if expected.method == "none" else expected.client_secret
    if _shown_by(request, decodes_basic=expected.decodes_basic) != (
        expected.method,
        expected.client_id,
        secret,
    ):
        raise Refused("invalid_client")


def _check_secret_alone(request: Request, expected: Expected) -> None:
    text = base64.b64encode(f"{expected.client_secret}:".encode()).decode()
    wanted = {
        "secret_as_basic_username": f"Basic {text}",
        "secret_as_bearer": f"Bearer {expected.client_secret}",
    }
    is_in_form = "client_id" in request.form or "client_secret" in request.form
    if is_in_form or request.headers.get("authorization") != wanted[expected.method]:
        raise Refused("invalid_client")


def _check_signed(request: Request, expected: Expected) -> None:
    form = request.form
    if expected.method == "private_key_jwt":
        issuer, token = expected.issuer or expected.client_id, form.get("client_assertion", "")
        is_well = form.get("client_assertion_type") == _ASSERTION_TYPE
        is_well = is_well and "client_secret" not in form
    else:
        issuer, token = TEAM_ID, form.get("client_secret", "")
        is_well = form.get("client_id") == expected.client_id
    claims, header = _opened(token, expected)
    wanted = {"iss": issuer, "sub": expected.client_id, "aud": expected.audience}
    known_by = {"kid": KEY_ID, "alg": expected.algorithm}
    if expected.by_certificate:
        known_by = {"typ": "JWT", "alg": "PS256", "x5t#S256": certified_key()[2]}
    is_well = is_well and known_by.items() <= header.items()
    is_well = (
        is_well and wanted.items() <= claims.items() and "authorization" not in request.headers
    )
    if not is_well or not claims["iat"] - 5 <= time.time() < claims["exp"] <= claims["iat"] + 600:
        raise Refused("invalid_client")


def _opened(token: str, expected: Expected) -> tuple[dict[str, Any], dict[str, Any]]:
    key = certified_key()[3] if expected.by_certificate else client_key(expected.algorithm)
    try:
        opened = decode(token, key, algorithms=["PS256", expected.algorithm])
    except (JoseError, ValueError):
        raise Refused("invalid_client") from None
    return opened.claims, opened.header


def _shown_by(request: Request, *, decodes_basic: bool) -> tuple[str, str, str]:
    authorization = request.headers.get("authorization")
    if authorization is not None:
        if "client_id" in request.form or "client_secret" in request.form:
            # A client must not use more than one method (section 2.3).
            raise Refused("invalid_request")
        scheme, _, text = authorization.partition(" ")
        client_id, _, secret = base64.b64decode(text).decode().partition(":")
        if decodes_basic:
            client_id, secret = unquote_plus(client_id), unquote_plus(secret)
        return f"client_secret_{scheme.lower()}", client_id, secret
    method = "client_secret_post" if "client_secret" in request.form else "none"
    return method, request.form.get("client_id", ""), request.form.get("client_secret", "")
