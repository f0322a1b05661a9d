"""Broker retries: a thread with a job in hand waits for an unreachable Redis, however long."""

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


def retry_until_broker_returns(call: Callable[[], T]) -> T:
    """Return what `call` returns, once the broker answers.

    The thread could do nothing else: without the broker it cannot acknowledge its message either.
    Giving up might lose the result of a spent code or of a rotated token.
    """
    for pause in itertools.chain(_PAUSES_SECONDS, itertools.repeat(_LONGEST_PAUSE_SECONDS)):
        try:
            return call()
        except (QueueUnreachable, ConnectionClosed):
            if pause == _PAUSES_SECONDS[0]:
                _LOG.warning("A job waits for the queue, which cannot be reached at the moment.")
            time.sleep(pause)
    raise AssertionError
