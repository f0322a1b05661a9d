"""Sets aside what stood on a queue and cannot be performed, so that an operator can look at it."""

from __future__ import annotations

import logging
import uuid
from typing import cast

import dramatiq

from actors.queue.dead_letters import DeadLetters
from catfeeder.broker import SealedBroker
from catfeeder.clock import utc_now
from catfeeder.encoder import UnreadableMessage, quarantine_fields
from catfeeder.jobs import JobError, JobStore
from catfeeder.redis_connection import unreachable_is_told

_LOG = logging.getLogger(__name__)


def quarantine(
    queue: str,
    redis_message_id: str,
    reason: str,
    body: bytes,
    *,
    code: str = "unreadable_message",
    job_id: str | None = None,
) -> None:
    """Perform the message of the same name: log it, keep it sealed, and let its job fail.

    What cannot be opened may be another app's plaintext, so it is never kept as it came.
    """
    # The id is whatever somebody wrote into Redis; its repr cannot break out of the log line.
    name = repr(redis_message_id) if job_id is None else f"{redis_message_id!r} (job {job_id!r})"
    _LOG.error("Set aside %s from queue %s: %s", name, queue, reason)
    broker = cast("SealedBroker", dramatiq.get_broker())
    fields = quarantine_fields(queue, redis_message_id, UnreadableMessage(reason), body)
    sealed = broker.encoder.encode(fields)
    with unreachable_is_told():
        DeadLetters(broker).add(queue.removesuffix(".DQ"), str(uuid.uuid4()), code, sealed)
    if job_id is not None:
        error = JobError(code, reason, permanent=True)
        JobStore(broker.client, broker.encoder.sealer).fail(job_id, error, utc_now())
