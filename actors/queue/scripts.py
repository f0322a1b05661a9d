"""Lua scripts of dead letters: each step is atomic, so that no letter is lost or sent twice."""

from __future__ import annotations

from typing import Final

from catfeeder.queue.broker import ENQUEUE_SCRIPT, MAX_QUEUE_LENGTH
from catfeeder.queue.lua_scripts import Script
from catfeeder.queue.redis.connection import QUEUE_FULL

# With KEYS[4] and KEYS[5] the message is moved from those that a worker has in flight, and KEYS[6]
# says for ARGV[6] seconds that its id is spent; else ARGV[6] is its body. Dead letters that are too
# old or too many make room.
ADD: Final = Script(
    """
local body = ARGV[6]
if KEYS[4] then
    if redis.call('SREM', KEYS[4], ARGV[4]) == 0 then return 0 end
    body = redis.call('HGET', KEYS[5], ARGV[4])
    if not body then return 0 end
    redis.call('HDEL', KEYS[5], ARGV[4])
    if ARGV[6] ~= '0' then redis.call('SET', KEYS[6], '', 'EX', ARGV[6]) end
    redis.call('HDEL', string.sub(KEYS[5], 1, -#'.msgs' - 1) .. '.lanes', ARGV[4])
end
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[4])
redis.call('HSET', KEYS[2], ARGV[4], body)
redis.call('HSET', KEYS[3], ARGV[4], ARGV[5])
local function discard(ids)
    for _, id in ipairs(ids) do
        redis.call('ZREM', KEYS[1], id)
        redis.call('HDEL', KEYS[2], id)
        redis.call('HDEL', KEYS[3], id)
    end
end
discard(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1] - ARGV[2] * 1000))
discard(redis.call('ZRANGE', KEYS[1], 0, -1 - ARGV[3]))
for place = 1, 3 do redis.call('EXPIRE', KEYS[place], ARGV[2]) end
return 1
""",
    runs_when_full=True,
)

_REMOVE: Final = """
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
"""

#: Discards the letter ARGV[1]; returns whether it was there.
DISCARD: Final = Script(f"{_REMOVE} return 1", runs_when_full=True)

# Of two replays at once one finds the letter gone. KEYS[4..6] and ARGV[2..6] are those of
# ENQUEUE_SCRIPT: KEYS[6] is the job's record, and KEYS[7] the announcement of its end, which no
# caller that waits from now on must get. At-least-once delivery may leave two letters of one job:
# while it waits or runs, and once it has succeeded, the other one stays.
REPLAY: Final = Script(f"""
local function enqueue(KEYS, ARGV)
{ENQUEUE_SCRIPT.text}
end
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
if redis.call('LLEN', KEYS[4]) >= {MAX_QUEUE_LENGTH} then
    return redis.error_reply('{QUEUE_FULL}')
end
if KEYS[6] then
    local status = redis.call('HGET', KEYS[6], 'status')
    if status and string.find('queued running succeeded', status, 1, true) then return 0 end
    redis.call('DEL', KEYS[6], KEYS[7])
end
{_REMOVE}
enqueue({{unpack(KEYS, 4, 6)}}, {{unpack(ARGV, 2)}})
return 1
""")
