"""Index of jobs: by app, the ids of its latest jobs in the order in which they became known.

The web process adds what it sends, in the same step, and a worker what an app has put onto the
queue itself, with its start or its end: so a send straight onto the queue costs no more. It is a
hint alone: what counts is the job's record, whose parts are sealed. An index holds its latest ids,
and is gone an hour after the last of them.
"""

from __future__ import annotations

from typing import Final

from catfeeder.queue.jobs.records import JOB_TTL_SECONDS
from catfeeder.queue.lua_scripts import Call, Script

_PREFIX: Final = "catfeeder:jobs:"
#: Of each app: half a megabyte of Redis's memory.
MAX_JOBS: Final = 5000

#: Defines what adds an id to an index, and leaves out the oldest. Scores are microseconds since
#: 1970, so that none is another's.
INDEX_TEXT: Final = f"""
local function add_to_index(key, id)
    local now = redis.call('TIME')
    redis.call('ZADD', key, 'NX', string.format('%.0f', now[1] * 1000000 + now[2]), id)
    redis.call('ZREMRANGEBYRANK', key, 0, -{MAX_JOBS + 1})
    redis.call('EXPIRE', key, {JOB_TTL_SECONDS})
end
"""
#: Adds the id ARGV[1] to the index KEYS[1].
_ADD: Final = Script(f"{INDEX_TEXT}\nadd_to_index(KEYS[1], ARGV[1])")


def index_key(app: str) -> str:
    """Return the key of an app's index."""
    return _PREFIX + app


def build_addition(app: str, job_id: str) -> Call:
    """Return the call that adds a job of an app."""
    return Call(_ADD, [index_key(app)], [job_id])
