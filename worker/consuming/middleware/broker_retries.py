"""Waiting for a broker that is away, for as long as it takes."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable
from typing import Final, TypeVar

from dramatiq.errors import ConnectionClosed

from catfeeder.errors import QueueUnreachable

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_PAUSES_SECONDS: Final = (0.1, 0.2, 0.5)
_LONGEST_PAUSE_SECONDS: Final = 1.0


def with_patience(ask: Callable[[], T]) -> T:
    """Return what `ask` returns, once the broker answers.

    A thread that holds a message has nothing better to do: it could not acknowledge it either. What
    it would lose may be the result of a code that is spent, or of a token that was rotated.
    """
    for pause in itertools.chain(_PAUSES_SECONDS, itertools.repeat(_LONGEST_PAUSE_SECONDS)):
        try:
            return ask()
        except (QueueUnreachable, ConnectionClosed):
            if pause == _PAUSES_SECONDS[0]:
                _LOG.warning("A job waits for the queue, which cannot be reached at the moment.")
            time.sleep(pause)
    raise AssertionError
