"""Counts of connections for people: as far as a thousand, by an index."""

from __future__ import annotations

from collections.abc import Iterable

from models.db.database import hold_connection
from models.oauth.lookups.counts import MOST, count_of_provider


def count_connections(providers: Iterable[str]) -> dict[str, str]:
    """Return by a provider's key how many connections it has: a number, or "more than 1000"."""
    with hold_connection():
        counts = {provider: count_of_provider(provider) for provider in providers}
    return {key: str(it) if it <= MOST else f"more than {MOST}" for key, it in counts.items()}
