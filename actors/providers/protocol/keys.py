"""JWK set cache (RFC 7517): the published keys of providers, fetched once for all threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

from joserfc.jwk import Key

from actors.errors import AuthError
from actors.providers.errors import ProviderMisbehaved
from actors.providers.http.requests import get_json
from actors.providers.protocol.published_keys import PublishedKey, import_keys
from actors.telemetry.provider_calls import ProviderCall, whose_keys

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
            with ProviderCall(whose_keys.get(), "keys"):
                document = get_json(self._jwks_uri)
            self._keys = import_keys(document)
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
