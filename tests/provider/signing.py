"""Signing keys of a scripted provider, and valid and forged tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from functools import cache
from typing import Any

from joserfc.jwk import Key, KeySet, RSAKey
from joserfc.jws import JWSRegistry


@cache
def rsa_key(number: int) -> RSAKey:
    """Return a key; making one takes so long that all tests share the same few."""
    return RSAKey.generate_key(2048, {"kid": f"key-{number}", "use": "sig"}, private=True)


class SigningKeys:
    """The keys of one provider: the one that signs now, and all that are published."""

    def __init__(self) -> None:
        """Begin with one key of RSA."""
        self.current: Key = rsa_key(1)
        self.algorithm = "RS256"
        self.published: list[Key] = [self.current]
        #: Entries that join the published key set, whatever they are.
        self.more_entries: list[Any] = []

    def rotate(self) -> None:
        """Sign with a new key from now on, and publish that alone."""
        self.current = rsa_key(2)
        self.published = [self.current]

    def use(self, key: Key, algorithm: str) -> None:
        """Sign with this key from now on, and publish that alone."""
        self.current, self.algorithm, self.published = key, algorithm, [key]

    def key_set(self) -> dict[str, Any]:
        """Return what is published (RFC 7517)."""
        entries = (
            KeySet(list(self.published)).as_dict(private=False)["keys"] if self.published else []
        )
        return {"keys": [*self.more_entries, *entries]}

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """Sign claims with the current key; members of the header may be replaced."""
        whole = {"alg": self.algorithm, "kid": self.current.kid, **header}
        known = {name: value for name, value in whole.items() if value is not None}
        return sign_with(self.current, claims, known)

    def sign_text(self, signing_input: str) -> str:
        """Return the signature of whatever text."""
        signer = JWSRegistry.algorithms[self.algorithm]
        return base64url(signer.sign(signing_input.encode(), self.current))


def sign_with(key: Key, claims: dict[str, Any], header: dict[str, Any]) -> str:
    """Sign claims with a key, under whatever header."""
    signing_input = f"{encoded(header)}.{encoded(claims)}"
    signature = JWSRegistry.algorithms[header["alg"]].sign(signing_input.encode(), key)
    return f"{signing_input}.{base64url(signature)}"


def unsigned(claims: dict[str, Any]) -> str:
    """Return a token of `alg: none`, whose signature is empty (RFC 7515 appendix A.5)."""
    return f"{encoded({'alg': 'none'})}.{encoded(claims)}."


def signed_by_public_key(keys: SigningKeys, claims: dict[str, Any]) -> str:
    """Return a token of HS256 whose secret is the published key (algorithm confusion)."""
    assert isinstance(keys.current, RSAKey)
    pem = keys.current.as_pem(private=False)
    signing_input = f"{encoded({'alg': 'HS256', 'kid': keys.current.kid})}.{encoded(claims)}"
    signature = hmac.new(pem, signing_input.encode(), hashlib.sha256).digest()
    return f"{signing_input}.{base64url(signature)}"


def encoded(value: object) -> str:
    """Return JSON in base64url, a part of a token."""
    return base64url(json.dumps(value).encode())


def base64url(data: bytes) -> str:
    """Return base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
