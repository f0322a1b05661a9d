"""Entries of a queue: what a fetch returns, and how often workers died of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fetched:
    """One entry of a queue, how many workers died of it, and whether it was performed before."""

    id: bytes
    body: bytes | None
    worker_deaths: int
    is_spent: bool

    @property
    def is_whole(self) -> bool:
        """Whether it has a body, and text as its id."""
        return self.body is not None and self.id.decode(errors="ignore").encode() == self.id


def parse_entries(values: list[Any]) -> list[Fetched]:
    entries = zip(values[::4], values[1::4], values[2::4], values[3::4], strict=True)
    return [
        Fetched(entry_id, body, int(deaths or 0), bool(is_spent))
        for entry_id, body, deaths, is_spent in entries
    ]
