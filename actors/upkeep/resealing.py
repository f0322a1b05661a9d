"""After a change of SECRET_KEY: what is stored is sealed anew, until the old key can be dropped."""

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
#: Few enough rows for nobody to notice that they are locked.
_BATCH: Final = 100
#: A message is done well before its process may be told to stop; the next one goes on.
_MESSAGE_SECONDS: Final = 5.0
#: What is in use now is tried again after this.
_PAUSE_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Progress:
    """How many rows have been sealed anew, of how many; and which hold what no key opens."""

    done: int
    total: int
    broken: tuple[str, ...]


def reseal() -> None:
    """Perform the message of the same name: go on with sealing anew, if there is need, for a bit.

    On a machine that is still at the old SECRET_KEY, or back at it, nothing is done: two that
    sealed against each other would never end.
    """
    with hold_connection():
        is_needed = is_preferred() and has_other_keys()
    if is_needed:
        _work_until(time.monotonic() + _MESSAGE_SECONDS)


def _work_until(deadline: float) -> None:
    for progress in seal_anew():
        if time.monotonic() > deadline:
            _LOG.info("Sealed %d of %d rows anew; more soon.", progress.done, progress.total)
            return
    _LOG.info("Sealed %d rows anew; SECRET_KEY_PREVIOUS is needed for none.", progress.done)
    for row in progress.broken:
        _LOG.error("No key opens a secret of %s.", row)


def seal_with_this_key(now: datetime) -> Iterator[Progress]:
    """Seal everything with the key of this process, whichever came into use last."""
    with hold_connection():
        prefer_secret_key(now)
    yield from seal_anew()


def seal_anew() -> Iterator[Progress]:
    """Seal all with the current key, batch by batch; at the end the ids of earlier keys are gone.

    What others have in use is left alone, and tried again until nothing is left.
    """
    with hold_connection():
        total = count_outdated()
    done = 0
    while True:
        busy = 0
        broken: list[str] = []
        for batch in _giving_way(reseal_all(_BATCH)):
            done, busy = done + batch.done, busy + batch.busy
            broken.extend(batch.broken)
            yield Progress(done, total, tuple(broken))
        if not busy:
            break
        time.sleep(_PAUSE_SECONDS)
    with hold_connection():
        erase_other_keys()
    yield Progress(done, total, tuple(broken))


def _giving_way(batches: Iterator[ResealedBatch]) -> Iterator[ResealedBatch]:
    """Rest after each batch for as long as it took.

    SQLite lets a writer that waits in by luck alone: without the rests one was measured to wait for
    1.9 seconds, with them 0.1.
    """
    begun = time.monotonic()
    for batch in batches:
        yield batch
        time.sleep(time.monotonic() - begun)
        begun = time.monotonic()
