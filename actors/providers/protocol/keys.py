"""The keys that providers publish to check their signatures with (RFC 7517), kept per process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, KeySet

from actors.errors import AuthError, ProviderMisbehaved
from actors.providers.http.requests import get_json

#: An unknown key id makes us fetch the keys anew, but not more often than this.
_COOL_DOWN_SECONDS: Final = 60
#: A key that was taken back is trusted no longer than this, unless the provider is out of reach.
_KEYS_LIVE_SECONDS: Final = 3600
#: While there are none at all, those who waited for the attempt that failed do not repeat it.
_RETRY_SECONDS: Final = 5
_ASYMMETRIC: Final = ("RSA", "EC", "OKP")


class _PublishedKeys:
    """The keys of one address; whoever waits for them keeps nobody of another provider waiting."""

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
            if self._is_worth_fetching(key_id):
                self._fetch()
            if self._keys is None:
                raise self._failure.with_traceback(None)
            return self._keys

    def _is_worth_fetching(self, key_id: str | None) -> bool:
        now = self._clock()
        if self._keys is None:
            return now - self._tried_at > _RETRY_SECONDS
        is_unknown = key_id is not None and key_id not in {key.kid for key in self._keys}
        is_old = now - self._fetched_at > _KEYS_LIVE_SECONDS
        return (is_unknown or is_old) and now - self._tried_at > _COOL_DOWN_SECONDS

    def _fetch(self) -> None:
        """Fetch the keys; where that fails, those that are known go on to serve."""
        try:
            self._keys = _imported(get_json(self._jwks_uri))
            self._fetched_at = self._clock()
        except AuthError as error:
            self._failure = error
        # Read after the attempt, which may have taken longer than the cool-down.
        self._tried_at = self._clock()


class KeyCache:
    """The published keys of all providers."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the clock that ages are measured with."""
        self._clock = clock
        self._lock = threading.Lock()
        self._published: dict[str, _PublishedKeys] = {}

    def keys(self, jwks_uri: str, key_id: str | None) -> KeySet:
        """Return the keys, fetched anew when they are old or lack `key_id`.

        Raises:
            ProviderUnreachable, ProviderRefused, ProviderMisbehaved, AddressForbidden: There are
                none, now or a moment ago.
        """
        with self._lock:
            published = self._published.setdefault(jwks_uri, _PublishedKeys(jwks_uri, self._clock))
        return published.keys(key_id)


def _imported(document: Any) -> KeySet:
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ProviderMisbehaved("The provider's published keys cannot be parsed.")
    keys = [key for key in map(_key, entries) if key is not None]
    if not keys:
        raise ProviderMisbehaved("The provider publishes no key to check signatures with.")
    return KeySet(keys)


def _key(entry: Any) -> Key | None:
    """Return a public key for signatures; one of a kind that we do not know is left out (5)."""
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
