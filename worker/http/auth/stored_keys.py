"""The API keys of the database, each remembered for seconds so that most requests ask nobody."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Final

from actors.api_keys import KeyHolder, find_holder
from catfeeder.clock import utc_now
from worker.http.asgi.threads import run_with_database

#: So long a key may serve on in other processes once it was revoked.
CACHE_SECONDS: Final = 5.0


class StoredKeyCache:
    """Knows who holds which key, by the key's digest."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing remembered."""
        self._clock = clock
        self._known: dict[bytes, tuple[KeyHolder, float]] = {}

    async def holder(self, key: str) -> KeyHolder | None:
        """Return who holds a key; None when it is unknown, revoked or expired.

        Raises:
            DatabaseUnreachable: It is not remembered, and the database is away.
        """
        digest = hashlib.sha256(key.encode()).digest()
        holder, until = self._known.get(digest, (None, 0.0))
        if until > self._clock():
            return holder
        now = utc_now()
        holder = await run_with_database(find_holder, key, now)
        if holder is None:
            # What is wrong is not remembered: there is no end of it.
            self._known.pop(digest, None)
        else:
            seconds = CACHE_SECONDS
            if holder.expires_at is not None:
                seconds = min(seconds, (holder.expires_at - now).total_seconds())
            self._known[digest] = (holder, self._clock() + seconds)
        return holder

    def forget(self) -> None:
        """Remember nothing of before, since a key has been revoked."""
        self._known.clear()
