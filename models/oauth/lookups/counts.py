"""Bounded counts of connections: no page waits for a count of a million rows."""

from __future__ import annotations

from typing import Final

from models.oauth.connections import TAB_CONNECTIONS

#: A count that has come so far says "more than".
MOST: Final = 1000


def count_of_provider(provider: str) -> int:
    """Return how many connections a provider has, or one more than `MOST`."""
    some = TAB_CONNECTIONS.select(TAB_CONNECTIONS.id).where(TAB_CONNECTIONS.provider == provider)
    return int(some.limit(MOST + 1).count())
