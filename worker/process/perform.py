"""`python -m worker perform`: one process that performs the messages of its queues.

Dramatiq's own command starts a master and a child for the same: twice the memory, and a master that
wakes up to look after one child. Here the process manager looks after the process itself.
"""

from __future__ import annotations

import gc
import logging
import math
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from typing import Final

from dramatiq import Worker

from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError
from catfeeder.messages import PASSWORDS, QUEUES, RENEWALS
from config import ConfigurationError, Settings, current_settings
from worker.consuming.broker import ConsumingBroker
from worker.consuming.work_queue import WorkQueue
from worker.process.build import build_broker
from worker.process.logs import LOG_FORMAT, set_up_logging
from worker.process.signals import StopSignals

_LOG = logging.getLogger(__name__)

#: The part of a process's hands that renewals leave to what somebody waits for: a provider that
#: takes its time would keep all of them.
_SPARED: Final = 1 / 4
#: How long a consumer sleeps whose bell was lost with a connection.
_LONGEST_SLEEP_MS: Final = 5000


def run_performing(
    queues: list[str], threads: int, prefetch: int, grace_seconds: float, *, schedule: bool
) -> int:
    """Perform messages until a signal says to stop, end the jobs in hand, and return the status.

    What is not ended within the grace is delivered again. A second signal cuts it off at once.
    With `schedule` the process emits the schedule as well.

    Raises:
        CatFeederError: A setting cannot be used; the message names it.
        ConfigurationError: So too.
    """
    signals = StopSignals()
    broker = _start_broker(queues)
    if len(queues) > 1:
        broker.most_at_once[RENEWALS] = max(1, prefetch - math.ceil(prefetch * _SPARED))
    worker = Worker(
        broker, queues=set(queues), worker_threads=threads, worker_timeout=_LONGEST_SLEEP_MS
    )
    worker.queue_prefetch = prefetch
    worker.work_queue = work_queue = WorkQueue()
    worker.start()
    _LOG.info("Ready for the messages of %s.", ", ".join(queues))
    # What was loaded stays: no collection need look at it again, nor keep a job waiting meanwhile.
    gc.collect()
    gc.freeze()
    with _scheduling() if schedule else nullcontext():
        signals.wait()
    for thread in worker.workers:
        thread.stop()
    work_queue.close()
    worker.stop(timeout=round(grace_seconds * 1000))
    broker.close()
    return 0


@contextmanager
def _scheduling() -> Iterator[None]:
    from worker.crons import Crons

    crons = Crons(debug=current_settings().debug.debug)
    crons.inject_crons()
    yield
    crons.stop()


def _start_broker(queues: Collection[str]) -> ConsumingBroker:
    if unknown := set(queues) - set(QUEUES):
        raise ConfigurationError(f"--queues must be of {QUEUES}, which {unknown} is not.")
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    settings = current_settings()
    set_up_logging(debug=settings.debug.debug)
    if set(queues) == {PASSWORDS}:
        _join_by_a_child(settings)
    else:
        _join(settings)
    return build_broker(settings)


def _join(settings: Settings) -> None:
    # Only who works with tables loads them.
    from models.db.database import open_database
    from models.migrate import join_service

    open_database(settings)
    join_service(utc_now())


def _join_by_a_child(settings: Settings) -> None:
    """Join in a process that ends: who hashes needs no tables, and none of the memory they take.

    It is to join all the same: with another SECRET_KEY it would take every message for a foreign
    one, and set it aside.
    """
    child = os.fork()
    if child == 0:
        os._exit(_join_or_tell(settings))
    _, status = os.waitpid(child, 0)
    if status != 0:
        sys.exit(1)


def _join_or_tell(settings: Settings) -> int:
    try:
        _join(settings)
    except CatFeederError as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    return 0
