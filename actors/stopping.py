"""Stop request: what ends long messages of this process early, because the process stops.

A stopping process has less time than a batch of renewals or of deliveries may take, and what is
interrupted in the middle may cost a token. What is left is a row that the next message finds.
"""

from __future__ import annotations

import threading
from typing import Final

_STOP_REQUESTED: Final = threading.Event()


def request_stop() -> None:
    """End each long message of this process after the item in hand."""
    _STOP_REQUESTED.set()


def clear_stop_request() -> None:
    """Let messages run to their end again, because a worker starts in this process."""
    _STOP_REQUESTED.clear()


def is_stop_requested() -> bool:
    """Return whether this process stops."""
    return _STOP_REQUESTED.is_set()
