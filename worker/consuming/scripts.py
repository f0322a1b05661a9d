"""What consuming does in Redis, each step in one script: all of it happens, or nothing does.

The keys are Dramatiq's own, so a worker of an earlier version beside us sees the same queues.
"""

from __future__ import annotations

from typing import Final

from catfeeder.job_scripts import CHANGE_SCRIPT
from catfeeder.lua_scripts import Script

#: Takes up to ARGV[3] messages, and gives them with those that were fetched before by a command
#: whose answer was lost; ARGV[4..] are the ids that worker threads hold. For each message three
#: values: its id, its body, and how many workers have ended with it in hand.
FETCH: Final = Script(
    """
redis.call('ZADD', KEYS[4], ARGV[1], ARGV[2])
local taken = {}
local order = {}
for _ = 1, tonumber(ARGV[3]) do
    local id = redis.call('LPOP', KEYS[1])
    if not id then break end
    redis.call('SADD', KEYS[3], id)
    taken[id] = true
    order[#order + 1] = id
end
local held = #ARGV - 3
if ARGV[3] ~= '0' and #order == 0 and redis.call('SCARD', KEYS[3]) <= held then return {} end
local is_held = {}
for place = 4, #ARGV do is_held[ARGV[place]] = true end
local found = {}
local function add(id)
    found[#found + 1] = id
    found[#found + 1] = redis.call('HGET', KEYS[2], id)
    found[#found + 1] = redis.call('GET', KEYS[5] .. id)
end
for _, id in ipairs(redis.call('SMEMBERS', KEYS[3])) do
    if not is_held[id] and not taken[id] then add(id) end
end
for _, id in ipairs(order) do
    if not is_held[id] then add(id) end
end
return found
""",
    runs_when_full=True,
)

#: Takes a message off its queue for good, unless it has fallen to another worker meanwhile.
ACKNOWLEDGE: Final = Script("""
if redis.call('SREM', KEYS[1], ARGV[1]) == 1 then
    redis.call('HDEL', KEYS[2], ARGV[1])
end
""")

#: Takes a message off as ACKNOWLEDGE does, once its job has ended by CHANGE_SCRIPT, whose keys and
#: arguments follow ours. In two steps, who dies between them could have lost the job.
END: Final = Script(f"""
local function change(KEYS, ARGV)
{CHANGE_SCRIPT.text}
end
change({{unpack(KEYS, 3)}}, {{unpack(ARGV, 2)}})
{ACKNOWLEDGE.text}
""")

#: Beats at ARGV[3] for the workers ARGV[4..], tells ARGV[2] of the worker ARGV[1], and returns all
#: workers with their heartbeats, then all of whom something is told.
BEAT: Final = Script(
    """
for place = 4, #ARGV do redis.call('ZADD', KEYS[1], ARGV[3], ARGV[place]) end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return {redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES'), redis.call('HKEYS', KEYS[2])}
""",
    runs_when_full=True,
)

#: Notes for as many seconds as ARGV[2] that a message has ended ARGV[1] workers.
NOTE_ENDS: Final = Script(
    "redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])",
    runs_when_full=True,
)

#: Puts what was fetched and not acknowledged back onto its queue: all of it, or the ids ARGV[4..].
#: At the head, as it has waited longest; at the tail what we leave to others. With ARGV[3] the
#: worker has ended: that is noted for each message, up to two times.
GIVE_BACK: Final = Script(
    """
local ids = {}
if #ARGV > 3 then
    for place = #ARGV, 4, -1 do ids[#ids + 1] = ARGV[place] end
else
    ids = redis.call('SMEMBERS', KEYS[1])
end
local count = 0
for _, id in ipairs(ids) do
    if redis.call('SREM', KEYS[1], id) == 1 and redis.call('HEXISTS', KEYS[3], id) == 1 then
        if ARGV[3] ~= '0' then
            local ends = KEYS[4] .. id
            if tonumber(redis.call('GET', ends) or 0) < 2 then redis.call('INCR', ends) end
            redis.call('EXPIRE', ends, ARGV[3])
        end
        redis.call(ARGV[1], KEYS[2], id)
        count = count + 1
    end
end
if count > 0 and ARGV[1] == 'LPUSH' then redis.call('PUBLISH', ARGV[2], '') end
return count
""",
    runs_when_full=True,
)
