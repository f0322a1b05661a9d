"""A monotonic clock that a test moves."""

from __future__ import annotations

from typing import Final


class Clock:
    """Returns `seconds`, which a test increases."""

    START: Final = 1000.0

    def __init__(self) -> None:
        self.seconds = self.START

    def __call__(self) -> float:
        return self.seconds
