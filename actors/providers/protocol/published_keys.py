"""JWK (RFC 7517): a published public key, and the signatures that it may check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, get_args

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from actors.providers.errors import ProviderMisbehaved
from actors.providers.protocol.provider import SigningAlgorithm

#: The elliptic curve that each algorithm of RFC 7518 section 3.4 and RFC 9864 prescribes.
_CURVES: Final = {
    "ES256": ("P-256",),
    "ES384": ("P-384",),
    "ES512": ("P-521",),
    "Ed25519": ("Ed25519",),
    "EdDSA": ("Ed25519", "Ed448"),
}
#: RFC 7518 sections 3.3 and 3.5; a shorter key can be factored.
_MIN_RSA_BITS: Final = 2048
_BASE64URL: Final = str.maketrans({"+": "-", "/": "_", **dict.fromkeys("= \t\r\n")})
#: The members of a public key itself (RFC 7518 section 6, RFC 8037 section 2).
_KEY_TYPE, _NUMBERS = ("kty", "crv"), ("n", "e", "x", "y")
#: RFC 9864 has split EdDSA into the names of its curves.
_RENAMED: Final = ("EdDSA", "Ed25519")
#: Signatures by an asymmetric key; never `none`, never a shared secret.
ALGORITHMS: Final[tuple[str, ...]] = get_args(SigningAlgorithm)


class SignatureRegistry(JWSRegistry):
    """The algorithms of ours; RFC 9864 renamed EdDSA, and providers go on to use the old name."""

    def get_alg(self, name: str) -> Any:
        """Return an algorithm without a warning of its age."""
        return self.algorithms[name] if name in ALGORITHMS else super().get_alg(name)


#: Unknown header parameters are ignored, unless `crit` names them (RFC 7515 section 4).
SIGNATURES: Final = SignatureRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)


class PublishedKey(NamedTuple):
    """A public key for signatures; `key_id` is None where the provider publishes none."""

    key: Key
    key_id: str | None
    algorithm: str | None

    def fits(self, algorithm: str) -> bool:
        """Return whether the key may check a signature of this algorithm (RFC 7517 section 4)."""
        is_meant = self.algorithm in (None, algorithm) or {self.algorithm, algorithm} == {*_RENAMED}
        return is_meant and fits_algorithm(self.key, algorithm)


def fits_algorithm(key: Key, algorithm: str) -> bool:
    """Return whether signatures of this algorithm are made by keys of this kind and curve."""
    match key:
        case RSAKey():
            return algorithm[:2] in ("RS", "PS")
        case ECKey() | OKPKey():
            return key.curve_name in _CURVES.get(algorithm, ())
    return False


def is_rsa_too_short(key: Key) -> bool:
    """Return whether a key is of RSA and shorter than RFC 7518 section 3.3 allows."""
    return isinstance(key, RSAKey) and key.public_key.key_size < _MIN_RSA_BITS


def import_keys(document: Any) -> Sequence[PublishedKey]:
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ProviderMisbehaved("The provider's published keys cannot be parsed.")
    keys = [key for key in map(_import_key, entries) if key is not None]
    if not keys:
        raise ProviderMisbehaved(
            "The provider publishes no key to check signatures with: none of RSA with 2048 bits or "
            "more, and none of an elliptic curve."
        )
    return keys


def _import_key(entry: Any) -> PublishedKey | None:
    """Return a public key for signatures; None for an unknown kind (RFC 7517 section 5)."""
    is_known = isinstance(entry, dict) and entry.get("kty") in ("RSA", "EC", "OKP")
    if not is_known or not _is_for_signatures(entry):
        return None
    try:
        # Some providers pad their numbers, or write them in plain base64.
        numbers = {name: entry[name].translate(_BASE64URL) for name in _NUMBERS if name in entry}
        kind = {name: entry[name] for name in _KEY_TYPE if name in entry}
        key = JWKRegistry.import_key({**kind, **numbers})
        if is_rsa_too_short(key):
            return None
    except (JoseError, KeyError, TypeError, ValueError, AttributeError):
        return None
    return PublishedKey(key, _read_text(entry.get("kid")), _read_text(entry.get("alg")))


def _is_for_signatures(entry: Mapping[str, Any]) -> bool:
    """Return whether `use` and `key_ops` (RFC 7517 sections 4.2 and 4.3), if given, say so."""
    operations = entry.get("key_ops")
    is_listed = not isinstance(operations, list) or not operations or "verify" in operations
    return is_listed and (_read_text(entry.get("use")) or "sig").lower() == "sig"


def _read_text(value: Any) -> str | None:
    """Return a text; None for an empty one or null, which some providers write for nothing."""
    return value if isinstance(value, str) and value else None
