"""What renewals at the same time know of their providers, looked up anew each second."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

from actors.providers.config.discovery import resolve_provider
from actors.providers.protocol.provider import Provider
from models.db.database import hold_connection
from models.oauth.provider_health import TAB_PROVIDER_HEALTH

#: So much later a change of a provider, or a pause, is noticed by a message that is at work.
_SECONDS: Final = 1.0


class CachedProvider(NamedTuple):
    """A provider, and its health as it was before the provider was looked up.

    Whoever fails by settings that were changed since has known an earlier epoch of its health, and
    so does not pause the provider.
    """

    provider: Provider
    health: TAB_PROVIDER_HEALTH


class ProviderCache:
    """Remembers providers that are well, for a moment; threads may share one."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._known: dict[str, tuple[CachedProvider, float]] = {}

    def look_up(self, name: str, now: datetime) -> CachedProvider:
        """Return the provider of that name, as it was a moment ago at most.

        Raises:
            ProviderUnknown, ProviderNotConfigured, ProviderUnreachable, ProviderRefused,
            ProviderMisbehaved, AddressForbidden: As `resolve_provider`.
        """
        known, until = self._known.get(name, (None, 0.0))
        if known is not None:
            if until >= time.monotonic():
                return known
            # One looks for all: whoever comes meanwhile takes what is known.
            self._known[name] = known, time.monotonic() + _SECONDS
        with hold_connection():
            health = TAB_PROVIDER_HEALTH.find(name)
        found = CachedProvider(resolve_provider(name, now), health)
        if health.is_healthy:
            self._known[name] = found, time.monotonic() + _SECONDS
        else:
            self.forget(name)
        return found

    def forget(self, name: str) -> None:
        """Look a provider up anew next time: something has gone wrong with it."""
        self._known.pop(name, None)


_AT_WORK: Final[WeakValueDictionary[str, ProviderCache]] = WeakValueDictionary()


def shared_provider_cache() -> ProviderCache:
    """Return the memory of those who are at work in this process, or a new one if nobody is."""
    return _AT_WORK.setdefault("", ProviderCache())
