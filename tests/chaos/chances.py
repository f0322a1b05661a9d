"""Seeded randomness, so that a run can be repeated."""

from __future__ import annotations

import random


def chances(seed: int, consumer: str) -> random.Random:
    """Return a source of random numbers for one consumer."""
    return random.Random(f"{seed} {consumer}")  # noqa: S311
