"""JWK set cache (RFC 7517): the published keys of providers, fetched once for all threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple, get_args

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from actors.errors import AuthError, ProviderMisbehaved
from actors.providers.http.requests import get_json
from actors.providers.protocol.provider import SigningAlgorithm

#: Old keys are fetched anew, but after a failed attempt not more often than this.
_MIN_FETCH_INTERVAL_SECONDS: Final = 60
#: An unknown key id, or a signature that does not hold, causes a fetch: three at once, and then one
#: each so many seconds.
_FETCH_BURST: Final = 3
_FETCH_REFILL_SECONDS: Final = 20
#: A withdrawn key is trusted no longer than this, unless the provider is unreachable.
_TTL_SECONDS: Final = 3600
#: Without any keys, threads that waited for a failed fetch do not repeat it within this time.
_RETRY_SECONDS: Final = 5
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


class _PublishedKeys:
    """The keys of one address, with a lock of its own: a slow provider delays no other."""

    def __init__(self, jwks_uri: str, clock: Callable[[], float]) -> None:
        self._jwks_uri = jwks_uri
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Sequence[PublishedKey] = ()
        self._fetched_at = -float("inf")
        self._tried_at = -float("inf")
        self._paced_until = -float("inf")
        self._failure: AuthError = ProviderMisbehaved()

    def all(self) -> Sequence[PublishedKey]:
        with self._lock:
            self._fetch_if_old()
            return self._keys

    def find(self, algorithm: str, key_id: str | None, refused: Key | None) -> Key | None:
        with self._lock:
            self._fetch_if_old()
            found = _select(self._keys, algorithm, key_id, refused)
            if found is None and self._take_fetch():
                self._fetch()
                found = _select(self._keys, algorithm, key_id, refused)
            return found

    def _fetch_if_old(self) -> None:
        now = self._clock()
        wait = _MIN_FETCH_INTERVAL_SECONDS if self._keys else _RETRY_SECONDS
        if now - self._fetched_at > _TTL_SECONDS and now - self._tried_at > wait:
            self._take_fetch()
            self._fetch()
        if not self._keys:
            raise self._failure.with_traceback(None)

    def _take_fetch(self) -> bool:
        """Take one of the fetches that the rate allows (GCRA); return false if there is none."""
        now = self._clock()
        paced_until = max(self._paced_until, now)
        if paced_until - now > (_FETCH_BURST - 1) * _FETCH_REFILL_SECONDS:
            return False
        self._paced_until = paced_until + _FETCH_REFILL_SECONDS
        return True

    def _fetch(self) -> None:
        """Fetch the keys; if that fails, the known keys stay in use."""
        try:
            self._keys = _import_keys(get_json(self._jwks_uri))
            self._fetched_at = self._clock()
        except AuthError as error:
            self._failure = error
        # Read after the fetch, which may have taken longer than the interval.
        self._tried_at = self._clock()


def _select(
    keys: Sequence[PublishedKey], algorithm: str, key_id: str | None, refused: Key | None
) -> Key | None:
    """Return the key of that id, else the only one that fits and contradicts no id.

    OpenID Connect Core section 10.1 lets a provider with one key leave the id out, in the key set
    and in the token. `refused` is a key that the signature does not hold with.
    """
    fitting = [one for one in keys if one.fits(algorithm)]
    if key_id is not None:
        named = [one for one in fitting if one.key_id == key_id][:1]
        fitting = named or [one for one in fitting if one.key_id is None]
    if len(fitting) != 1:
        return None
    found = fitting[0].key
    is_refused = refused is not None and refused.thumbprint() == found.thumbprint()
    return None if is_refused else found


class KeyCache:
    """The published keys of all providers."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._published: dict[str, _PublishedKeys] = {}

    def keys(self, jwks_uri: str) -> Sequence[PublishedKey]:
        """Return all keys, fetched anew when they are old.

        Raises:
            ProviderUnreachable, ProviderRefused, ProviderMisbehaved, AddressForbidden: No key is
                known, and the fetch fails or failed a moment ago.
        """
        return self._published_at(jwks_uri).all()

    def find(
        self, jwks_uri: str, algorithm: str, key_id: str | None, refused: Key | None = None
    ) -> Key | None:
        """Return the key to check a signature with; None where none fits, or several do.

        Where none fits, the keys are fetched anew, as often as the rate allows. `refused` is a key
        that the signature does not hold with, so that the provider may have replaced it.

        Raises:
            ProviderUnreachable, ProviderRefused, ProviderMisbehaved, AddressForbidden: As `keys`.
        """
        return self._published_at(jwks_uri).find(algorithm, key_id, refused)

    def _published_at(self, jwks_uri: str) -> _PublishedKeys:
        with self._lock:
            return self._published.setdefault(jwks_uri, _PublishedKeys(jwks_uri, self._clock))


@cache
def shared_key_cache() -> KeyCache:
    """Return the key cache of this process."""
    return KeyCache()


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


def _import_keys(document: Any) -> Sequence[PublishedKey]:
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
