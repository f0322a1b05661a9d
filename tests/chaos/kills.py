"""What is known of one kill, so that what it has cost can be told from what it has not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kill:
    """Who was killed, when by this machine's clock, and the ports from which it spoke to others."""

    name: str
    at: float
    ports: frozenset[int] = frozenset()
