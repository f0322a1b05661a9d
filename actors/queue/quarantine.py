"""Quarantine: a message that cannot be opened or performed becomes a dead letter, and is logged."""

from __future__ import annotations

import hashlib
import logging
import uuid
from typing import Final, cast

import dramatiq

from actors.queue.dead_letters import DeadLetters
from catfeeder.clock import utc_now
from catfeeder.queue.broker import SealedBroker
from catfeeder.queue.encoder import UnreadableMessage, build_quarantine_message
from catfeeder.queue.jobs.store import JobError, JobRun, JobStore
from catfeeder.queue.keys import KeyName
from catfeeder.queue.redis.connection import translate_redis_errors

_LOG = logging.getLogger(__name__)
#: A worker of a newer release may take the same request a moment later.
_UNKNOWN_MESSAGE: Final = "unknown_message"


def quarantine(
    queue: str,
    redis_message_id: str,
    reason: str,
    body: bytes,
    *,
    code: str = "unreadable_message",
    job_id: str | None = None,
    sealed_by: str | None = None,
) -> None:
    """Perform `quarantine`: log that a message was set aside, keep it sealed, and let its job fail.

    A body that does not open may be another app's plaintext, so it is never kept as it came.
    `reason` is a sentence, and `code` its code, which is also the error of the job, if the message
    is known to stand for one; it is answered under the app's key that `sealed_by` names.

    Raises:
        QueueUnreachable: Redis did not answer.
    """
    # Any text can be an id in Redis; its repr cannot break out of the log line.
    name = repr(redis_message_id) if job_id is None else f"{redis_message_id!r} (job {job_id!r})"
    _LOG.error("Set aside %s from queue %s: %s", name, queue, reason)
    broker = cast("SealedBroker", dramatiq.get_broker())
    fields = build_quarantine_message(queue, redis_message_id, UnreadableMessage(reason), body)
    letter = broker.encoder.encode(fields)
    with translate_redis_errors():
        letter_id = _derive_id(queue, redis_message_id, body)
        DeadLetters(broker).add(queue.removesuffix(".DQ"), letter_id, code, letter)
    if job_id is not None:
        key = None if sealed_by is None else KeyName.parse(sealed_by)
        run = JobRun(job_id, "", redis_message_id, key)
        _fail_job(broker, run, JobError(code, reason, permanent=code != _UNKNOWN_MESSAGE))


def _fail_job(broker: SealedBroker, run: JobRun, error: JobError) -> None:
    JobStore(broker.client, broker.encoder.sealer).fail(run, error, utc_now())


def _derive_id(queue: str, redis_message_id: str, body: bytes) -> str:
    """Return the id of the dead letter: delivered once more, the message is the same letter."""
    digest = hashlib.sha256(f"{queue}:{redis_message_id}:".encode() + body).hexdigest()
    return str(uuid.UUID(digest[:32], version=4))
