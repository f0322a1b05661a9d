"""JWK set cache (RFC 7517): the published keys of providers, fetched once for all threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet

from actors.errors import AuthError, ProviderMisbehaved
from actors.providers.http.requests import get_json

#: An unknown key id causes a fetch, but not more often than this.
_MIN_FETCH_INTERVAL_SECONDS: Final = 60
#: A withdrawn key is trusted no longer than this, unless the provider is unreachable.
_TTL_SECONDS: Final = 3600
#: Without any keys, threads that waited for a failed fetch do not repeat it within this time.
_RETRY_SECONDS: Final = 5
_ASYMMETRIC: Final = ("RSA", "EC", "OKP")


class _PublishedKeys:
    """The keys of one address, with a lock of its own: a slow provider delays no other."""

    def __init__(self, jwks_uri: str, clock: Callable[[], float]) -> None:
        self._jwks_uri = jwks_uri
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: KeySet | None = None
        self._fetched_at = -float("inf")
        self._tried_at = -float("inf")
        self._failure: AuthError = ProviderMisbehaved()

    def keys(self, key_id: str | None) -> KeySet:
        with self._lock:
            if self._should_fetch(key_id):
                self._fetch()
            if self._keys is None:
                raise self._failure.with_traceback(None)
            return self._keys

    def _should_fetch(self, key_id: str | None) -> bool:
        now = self._clock()
        if self._keys is None:
            return now - self._tried_at > _RETRY_SECONDS
        is_unknown = key_id is not None and key_id not in {key.kid for key in self._keys}
        is_old = now - self._fetched_at > _TTL_SECONDS
        return (is_unknown or is_old) and now - self._tried_at > _MIN_FETCH_INTERVAL_SECONDS

    def _fetch(self) -> None:
        """Fetch the keys; if that fails, the known keys stay in use."""
        try:
            self._keys = _import_keys(get_json(self._jwks_uri))
            self._fetched_at = self._clock()
        except AuthError as error:
            self._failure = error
        # Read after the fetch, which may have taken longer than the interval.
        self._tried_at = self._clock()


class KeyCache:
    """The published keys of all providers."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._published: dict[str, _PublishedKeys] = {}

    def keys(self, jwks_uri: str, key_id: str | None) -> KeySet:
        """Return the keys, fetched anew when they are old or lack `key_id`.

        Raises:
            ProviderUnreachable, ProviderRefused, ProviderMisbehaved, AddressForbidden: No key is
                known, and the fetch fails or failed a moment ago.
        """
        with self._lock:
            published = self._published.setdefault(jwks_uri, _PublishedKeys(jwks_uri, self._clock))
        return published.keys(key_id)


@cache
def shared_key_cache() -> KeyCache:
    """Return the key cache of this process."""
    return KeyCache()


def _import_keys(document: Any) -> KeySet:
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ProviderMisbehaved("The provider's published keys cannot be parsed.")
    keys = [key for key in map(_import_key, entries) if key is not None]
    if not keys:
        raise ProviderMisbehaved("The provider publishes no key to check signatures with.")
    return KeySet(keys)


def _import_key(entry: Any) -> Key | None:
    """Return a public key for signatures; None for an unknown kind (RFC 7517 section 5)."""
    if not isinstance(entry, dict) or entry.get("kty") not in _ASYMMETRIC:
        return None
    if entry.get("use", "sig") != "sig":
        return None
    try:
        key = JWKRegistry.import_key(entry)
        key.ensure_kid()
    except (JoseError, KeyError, TypeError, ValueError, AttributeError):
        return None
    return key
