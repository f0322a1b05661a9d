"""Job state machine: the Lua script by which a job's record changes, atomically, and its keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from catfeeder.queue.jobs.index import INDEX_TEXT, index_key
from catfeeder.queue.jobs.parts import JobRun
from catfeeder.queue.jobs.records import JOB_TTL_SECONDS
from catfeeder.queue.lua_scripts import Call, Script

_KEY_PREFIX: Final = "catfeeder:job:"
#: The record of an ended job is published on the channel of this name, and stays in the list of
#: this name: a client that has just looked at the job, and waits from now on, finds the end there.
CHANNEL_PREFIX: Final = "catfeeder:ended:"
ENDED_TTL_SECONDS: Final = 10
#: The statuses from which a worker's change may follow.
_UNFINISHED: Final = "queued running"

# Each change names the statuses that it may follow, and applies in one step. An unknown job may
# start: its record can have expired while the message still waited in the queue. Of a job that was
# sent anew, as a dead letter is, a worker of the earlier sending changes nothing. The third key is
# the index of the app whose own message has not been listed at its start.
CHANGE_SCRIPT: Final = Script(
    f"""
{INDEX_TEXT}
local status, message = unpack(redis.call('HMGET', KEYS[1], 'status', 'message'))
if status and not string.find(ARGV[1], status, 1, true) then return 0 end
if not status and ARGV[2] == '0' then return 0 end
if message and message ~= ARGV[5] then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 6))
redis.call('EXPIRE', KEYS[1], ARGV[3])
if KEYS[2] then
    local record = ''
    for _, part in ipairs(redis.call('HGETALL', KEYS[1])) do
        record = record .. #part .. ':' .. part
    end
    redis.call('RPUSH', KEYS[2], record)
    redis.call('EXPIRE', KEYS[2], ARGV[4])
    redis.pcall('PUBLISH', KEYS[2], record)
end
if KEYS[3] then add_to_index(KEYS[3], string.sub(KEYS[1], {len(_KEY_PREFIX) + 1})) end
return 1
""",
    runs_when_full=True,
)


def job_key(job_id: str) -> str:
    """Return the key of the Redis hash that holds a job's record."""
    return _KEY_PREFIX + job_id


def ended_key(job_id: str) -> str:
    """Return the name of the list, and of the channel, that carry the record of an ended job."""
    return CHANNEL_PREFIX + job_id


def build_start(run: JobRun, sealed: bytes) -> Call:
    """Return the call that records that a worker begins; it makes a record that has expired."""
    return _build_change(run, _UNFINISHED, {"status": "running", "start": sealed}, may_create=True)


def build_end(run: JobRun, status: str, sealed: bytes) -> Call:
    """Return the call by which a worker ends a job, whose start it may not have recorded."""
    fields = {"status": status, "end": sealed}
    return _build_change(
        run, _UNFINISHED, fields, may_create=run.started_at is not None, is_end=True
    )


def build_cancellation(run: JobRun, sealed: bytes) -> Call:
    """Return the call that cancels a job that no worker has begun."""
    return _build_change(run, "queued", {"status": "cancelled", "end": sealed}, is_end=True)


def _build_change(
    run: JobRun,
    after: str,
    fields: Mapping[str, object],
    *,
    may_create: bool = False,
    is_end: bool = False,
) -> Call:
    """Return the call that writes `fields` where the status is one of those in `after`."""
    pairs = [part for pair in fields.items() for part in pair]
    arguments: list[object] = [after, int(may_create), JOB_TTL_SECONDS, ENDED_TTL_SECONDS]
    arguments += [run.redis_message_id, *pairs]
    keys = [job_key(run.job_id)]
    if is_end:
        keys.append(ended_key(run.job_id))
    if is_end and run.started_at and run.unlisted_app:
        keys.append(index_key(run.unlisted_app))
    return Call(CHANGE_SCRIPT, keys, arguments)
