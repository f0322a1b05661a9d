"""Cache of the database's API keys, for a few seconds, so that most requests need no query."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Final

from actors.api_keys import KeyHolder, find_holder
from catfeeder.clock import utc_now
from worker.http.asgi.threads import run_with_database

#: How long a key that was revoked may go on working in other processes.
CACHE_SECONDS: Final = 5.0


class StoredKeyCache:
    """Maps a key's SHA-256 digest to its holder."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._holders: dict[bytes, tuple[KeyHolder, float]] = {}

    def __len__(self) -> int:
        """Return how many keys are cached, expired entries included."""
        return len(self._holders)

    async def find_holder(self, key: str) -> KeyHolder | None:
        """Return the holder of a key, or None for a key that is unknown, revoked or expired.

        Raises:
            DatabaseUnreachable: The key is not cached, and the database is away.
        """
        digest = hashlib.sha256(key.encode()).digest()
        holder, until = self._holders.get(digest, (None, 0.0))
        if until > self._clock():
            return holder
        now = utc_now()
        holder = await run_with_database(find_holder, key, now)
        if holder is None:
            # Wrong keys are not cached: there is no end of them.
            self._holders.pop(digest, None)
        else:
            seconds = CACHE_SECONDS
            if holder.expires_at is not None:
                seconds = min(seconds, (holder.expires_at - now).total_seconds())
            self._holders[digest] = (holder, self._clock() + seconds)
        return holder

    def has_known(self, key: str) -> bool:
        """Return whether a key was found before in this process; it may be revoked by now."""
        return hashlib.sha256(key.encode()).digest() in self._holders

    def clear(self) -> None:
        """Forget all keys, since one of them has been revoked."""
        self._holders.clear()
