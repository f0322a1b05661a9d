"""Record of one kill, from which the losses that it explains are known."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kill:
    """What was killed, when by this machine's clock, and the ports of its connections."""

    name: str
    at: float
    ports: frozenset[int] = frozenset()
