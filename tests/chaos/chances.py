"""Chances that come again with the same seed."""

from __future__ import annotations

import random


def chances(seed: int, of_whom: str) -> random.Random:
    """Return a source of chances that nobody else draws from."""
    return random.Random(f"{seed} {of_whom}")  # noqa: S311
