"""TTL cache of healthy providers, shared by the renewals that run at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

from actors.providers.config.discovery import resolve_provider
from actors.providers.protocol.provider import Provider
from models.db.database import hold_connection
from models.oauth.provider_health import TAB_PROVIDER_HEALTH


class CachedProvider(NamedTuple):
    """A provider, and its health as read before the provider.

    A renewal that fails by outdated settings so writes against an outdated epoch of the health,
    and does not pause the provider.
    """

    provider: Provider
    health: TAB_PROVIDER_HEALTH


class ProviderCache:
    """Keeps healthy providers for `ttl_seconds`; threads may share one.

    A change of a provider, or a pause, reaches running renewals that much later.
    """

    def __init__(
        self,
        ttl_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        resolve: Callable[[str, datetime], Provider] = resolve_provider,
    ) -> None:
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._resolve = resolve
        self._entries: dict[str, tuple[CachedProvider, float]] = {}

    def look_up(self, name: str, now: datetime) -> CachedProvider:
        """Return the provider of that name, at most `ttl_seconds` old.

        Raises:
            ProviderUnknown, ProviderNotConfigured, ProviderUnreachable, ProviderRefused,
            ProviderMisbehaved, AddressForbidden: As `resolve_provider`.
        """
        cached, expires_at = self._entries.get(name, (None, 0.0))
        if cached is not None:
            if expires_at >= self._clock():
                return cached
            # One thread looks up; the others meanwhile use the old entry (request coalescing).
            self._store(name, cached)
        with hold_connection():
            health = TAB_PROVIDER_HEALTH.find(name)
        found = CachedProvider(self._resolve(name, now), health)
        if health.is_healthy:
            self._store(name, found)
        else:
            self.forget(name)
        return found

    def _store(self, name: str, found: CachedProvider) -> None:
        self._entries[name] = found, self._clock() + self._ttl_seconds

    def forget(self, name: str) -> None:
        """Drop a provider whose renewal has failed, so that the next look-up reads it anew."""
        self._entries.pop(name, None)


#: Holds the cache as long as a renewal uses it.
_shared: Final[WeakValueDictionary[str, ProviderCache]] = WeakValueDictionary()


def shared_provider_cache() -> ProviderCache:
    """Return the cache of this process's running renewals, or a new one if none runs."""
    return _shared.setdefault("", ProviderCache())
