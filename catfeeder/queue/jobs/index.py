"""Index of jobs: by app, the ids of its latest jobs in the order in which they became known.

The web process adds what it sends, and a worker what an app has put onto the queue itself when it
begins it: so a send straight onto the queue costs no more. It is a hint alone: what counts is the
job's record, whose parts are sealed. An index holds its latest ids, and is gone an hour after the
last of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from catfeeder.queue.jobs.scripts import JOB_TTL_SECONDS
from catfeeder.queue.lua_scripts import Call, Script

_PREFIX: Final = "catfeeder:jobs:"
#: Of each app: half a megabyte of Redis's memory.
MAX_JOBS: Final = 5000

#: Adds the ids ARGV[1], ARGV[2], … to the indexes KEYS[1], KEYS[2], … and leaves out the oldest.
#: Scores are microseconds since 1970, so that none is another's.
_ADD: Final = Script(
    f"""
local now = redis.call('TIME')
for place, key in ipairs(KEYS) do
    local at = string.format('%.0f', now[1] * 1000000 + now[2] + place)
    redis.call('ZADD', key, 'NX', at, ARGV[place])
    redis.call('ZREMRANGEBYRANK', key, 0, -{MAX_JOBS + 1})
    redis.call('EXPIRE', key, {JOB_TTL_SECONDS})
end
"""
)


def index_key(app: str) -> str:
    """Return the key of an app's index."""
    return _PREFIX + app


def build_addition(jobs: Iterable[tuple[str, str]]) -> Call:
    """Return the call that adds jobs, each as its app and its id."""
    added = list(jobs)
    return Call(_ADD, [index_key(app) for app, _ in added], [job_id for _, job_id in added])
