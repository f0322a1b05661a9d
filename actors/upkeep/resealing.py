"""Key rotation: reseals stored secrets until no earlier SECRET_KEY is needed."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from models.db.database import hold_connection
from models.sealing.keys import erase_other_keys, has_other_keys, is_preferred, prefer_secret_key
from models.sealing.resealing import ResealedBatch, count_outdated, reseal_all

_LOG = logging.getLogger(__name__)
#: Rows that are locked at once: few enough for other writers not to notice.
_BATCH_SIZE: Final = 100
#: A message ends well before a shutdown would cut it off; the next one goes on.
_MESSAGE_SECONDS: Final = 5.0
#: Rows that are in use are tried again after this.
_PAUSE_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Progress:
    """How many rows of `total` are resealed; `broken` names those that no key opens."""

    done: int
    total: int
    broken: tuple[str, ...]


def reseal(*, batch_size: int = _BATCH_SIZE, seconds: float = _MESSAGE_SECONDS) -> None:
    """Perform `reseal`: go on with resealing for some seconds, if there is need.

    A machine that is still at the old SECRET_KEY, or back at it, does nothing: two that resealed
    against each other would never end.
    """
    with hold_connection():
        is_needed = is_preferred() and has_other_keys()
    if is_needed:
        _reseal_until(time.monotonic() + seconds, batch_size)


def _reseal_until(deadline: float, batch_size: int) -> None:
    for progress in reseal_outdated(batch_size):
        if time.monotonic() > deadline:
            _LOG.info("Resealed %d of %d rows; more soon.", progress.done, progress.total)
            return
    _LOG.info("Resealed %d rows; none needs SECRET_KEY_PREVIOUS any more.", progress.done)
    for row in progress.broken:
        _LOG.error("No key opens a secret of %s.", row)


def reseal_with_this_key(now: datetime, batch_size: int = _BATCH_SIZE) -> Iterator[Progress]:
    """Reseal everything with the key of this process, whichever came into use last.

    Yields:
        The progress after each batch.
    """
    with hold_connection():
        prefer_secret_key(now)
    yield from reseal_outdated(batch_size)


def reseal_outdated(batch_size: int = _BATCH_SIZE) -> Iterator[Progress]:
    """Reseal what earlier keys sealed, batch by batch, then erase the ids of those keys.

    Rows that are in use are tried again until none is left.

    Yields:
        The progress after each batch, and at the end.
    """
    with hold_connection():
        total = count_outdated()
    done = 0
    while True:
        busy = 0
        broken: list[str] = []
        for batch in yield_to_writers(reseal_all(batch_size)):
            done, busy = done + batch.done, busy + batch.busy
            broken.extend(batch.broken)
            yield Progress(done, total, tuple(broken))
        if not busy:
            break
        time.sleep(_PAUSE_SECONDS)
    with hold_connection():
        erase_other_keys()
    yield Progress(done, total, tuple(broken))


def yield_to_writers(batches: Iterator[ResealedBatch]) -> Iterator[ResealedBatch]:
    """Yield batches, and rest after each for as long as it took.

    SQLite admits a waiting writer by luck alone: without the rests one was measured to wait for
    1.9 seconds, with them 0.1.
    """
    begun = time.monotonic()
    for batch in batches:
        yield batch
        time.sleep(time.monotonic() - begun)
        begun = time.monotonic()
