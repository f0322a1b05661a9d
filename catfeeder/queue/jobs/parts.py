"""Parts of a job's record: each sealed by the process that knows it, and bound to its message.

A job's hash in Redis has three sealed parts, and a clear `status` that the state machine of
`catfeeder.queue.jobs.scripts` alone goes by. `job` is sealed by the process that sends the message;
`start` and `end` by the worker, with the key that opened the message, or by the process that
cancels the job. The `end` of a short job says when it started, in place of a `start`. The context
of each is the job's id and the part's name; that of `start` and `end` also holds the id of the
message on the queue, so that none is of an earlier sending of the job.

What Redis says of a job is therefore what its app and the service have said. A record whose parts
do not open here, or do not belong together, is no record.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from catfeeder.errors import SealBroken
from catfeeder.queue.envelope import QueueSealer
from catfeeder.queue.jobs.records import JobError, JobRecord, JobStatus
from catfeeder.queue.keys import KeyName

_LOG = logging.getLogger(__name__)
# Without the marks of messages: a provider's profile may hold what looks like one.
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode
#: What comes of parts that an app has sealed as it pleased.
_MALFORMED: Final = (SealBroken, KeyError, TypeError, ValueError, RecursionError)
_OTHER_APP: Final = "Its parts are of different apps."
_OTHER_ACTOR: Final = "It began as another job than it ended."


class JobRun(NamedTuple):
    """One sending of a job: its ids, what it asks for, and the key of the app that asked.

    Without a key, the service's own is meant; an actor without a name is not known. `started_at` is
    for its end to say, where Redis has not been told that the job started.
    """

    job_id: str
    actor: str
    redis_message_id: str
    key: KeyName | None = None
    started_at: datetime | None = None

    @property
    def unlisted_app(self) -> str | None:
        """The app that has put the message onto the queue itself, so that no index has the job."""
        return None if self.key is None or self.key.is_service else self.key.app


def seal_job(
    sealer: QueueSealer, job: JobRecord, redis_message_id: str, key: KeyName | None
) -> bytes:
    """Return the part that says what a job is and whose, sealed with the own key or `key`."""
    of_its_kind = _describe(job.actor, job.queue, job.app)
    text = (
        f'{of_its_kind},"enqueued_at":"{job.enqueued_at.isoformat()}"'
        f',"redis_message_id":{_encode(redis_message_id)}}}'
    )
    return sealer.seal(text.encode(), _name(job.id, "job"), key)


@lru_cache(maxsize=1024)
def _describe(actor: str, queue: str, app: str) -> str:
    """Return the beginning of a job's JSON; to write it anew each time is 5 % of a send."""
    return _encode({"actor": actor, "queue": queue, "app": app})[:-1]


def seal_start(sealer: QueueSealer, run: JobRun, now: datetime) -> bytes:
    """Return the part that says when a worker began."""
    members = {"started_at": now.isoformat()}
    return sealer.seal(_encode(members).encode(), _name_run(run, "start"), run.key)


def seal_end(
    sealer: QueueSealer, run: JobRun, status: JobStatus, now: datetime, **more: object
) -> bytes:
    """Return the part that says how a job ended, with its result or error."""
    members = {"status": status.value, "finished_at": now.isoformat(), **more}
    if run.actor:
        members["actor"] = run.actor
    if run.started_at:
        members["started_at"] = run.started_at.isoformat()
    return sealer.seal(_encode(members).encode(), _name_run(run, "end"), run.key)


def open_record(
    sealer: QueueSealer, job_id: str, fields: Mapping[bytes, bytes]
) -> JobRecord | None:
    """Return the record that the parts of a hash make; None, and a line in the log, if they do not.

    A job without its first part has expired, or never was.
    """
    sealed = fields.get(b"job")
    if sealed is None:
        return None
    try:
        return _open(sealer, job_id, sealed, fields)
    except _MALFORMED as error:
        reason = error.detail if isinstance(error, SealBroken) else "Its parts are malformed."
        _LOG.warning("What Redis holds of job %r is not its record: %s", job_id, reason)
        return None


def open_end(
    sealer: QueueSealer, job: JobRecord, fields: Mapping[bytes, bytes]
) -> JobRecord | None:
    """Return a job that this process has sent as it ended; None where that cannot be told.

    Its first part says what is known here, and is not opened: of a hash over HTTP that part took as
    long as all of the others.
    """
    if b"end" not in fields or job.redis_message_id is None:
        return None
    run = JobRun(job.id, job.actor, job.redis_message_id, job.sealed_by or sealer.own)
    try:
        return replace(job, sealed_by=run.key, **_open_run(sealer, run, fields))
    except _MALFORMED:
        # Of another sending, perhaps: all of its parts say of which.
        return None


def _open(
    sealer: QueueSealer, job_id: str, sealed: bytes, fields: Mapping[bytes, bytes]
) -> JobRecord:
    plaintext, key = sealer.open(sealed, _name(job_id, "job"))
    job = json.loads(plaintext)
    if not key.is_service and job["app"] != key.app:
        raise SealBroken(_OTHER_APP)
    run = JobRun(job_id, _text(job["actor"]), _text(job["redis_message_id"]), key)
    return JobRecord(
        id=job_id,
        actor=run.actor,
        queue=_text(job["queue"]),
        enqueued_at=_time(job["enqueued_at"]),
        app=_text(job["app"]),
        sealed_by=key,
        redis_message_id=run.redis_message_id,
        **_open_run(sealer, run, fields),
    )


def _open_run(sealer: QueueSealer, run: JobRun, fields: Mapping[bytes, bytes]) -> dict[str, Any]:
    """Return the members of a record that its worker has sealed."""
    started = _open_part(sealer, run, "start", fields)
    ended = _open_part(sealer, run, "end", fields)
    if ended.get("actor", run.actor) != run.actor:
        raise SealBroken(_OTHER_ACTOR)
    error = ended.get("error")
    started_at = started["started_at"] if started else ended.get("started_at")
    return {
        "status": _status(started, ended),
        "started_at": None if started_at is None else _time(started_at),
        "finished_at": _time(ended["finished_at"]) if ended else None,
        "result": ended.get("result"),
        "error": JobError(*error) if error else None,
    }


def _open_part(
    sealer: QueueSealer, run: JobRun, part: str, fields: Mapping[bytes, bytes]
) -> dict[str, Any]:
    """Return the members of a part, or none where it is not there."""
    sealed = fields.get(part.encode())
    if sealed is None:
        return {}
    plaintext, key = sealer.open(sealed, _name_run(run, part))
    # Not of the same app alone: a key of it may have been revoked.
    if key != run.key:
        raise SealBroken(_OTHER_APP)
    return dict(json.loads(plaintext))


def _status(started: Mapping[str, Any], ended: Mapping[str, Any]) -> JobStatus:
    if not ended:
        return JobStatus.RUNNING if started else JobStatus.QUEUED
    status = JobStatus(ended["status"])
    if not status.is_final:
        raise ValueError
    return status


def _name(job_id: str, part: str) -> str:
    return f"job:{job_id}:{part}"


def _name_run(run: JobRun, part: str) -> str:
    return f"{_name(run.job_id, part)}:{run.redis_message_id}"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError
    return time
