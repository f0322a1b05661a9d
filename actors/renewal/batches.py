"""Handing what is leased to the workers: many connections a message, but few where few are due."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from config import current_settings
from models.renewal.leases import Lease

Emit = Callable[[list[Lease]], None]

#: So many messages share what was leased, however little it is: a message is worked off by one
#: thread, and a provider may take its whole time for each connection in it.
_LEAST_MESSAGES: Final = 16


def hand_over(leases: Sequence[Lease], emit: Emit) -> None:
    """Emit leases in batches, of `renewal_batch` at most."""
    size = -(-len(leases) // _LEAST_MESSAGES)
    size = min(max(size, 1), current_settings().oauth.renewal_batch)
    for start in range(0, len(leases), size):
        emit(list(leases[start : start + size]))
