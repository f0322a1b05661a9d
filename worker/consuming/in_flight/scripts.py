"""Lua scripts of consuming: each step is atomic, so a lost connection leaves no message half moved.

The keys are Dramatiq's own, and the lanes beside them: a worker of an earlier release sees what has
not been sorted into lanes.
"""

from __future__ import annotations

from typing import Final

from catfeeder.queue.jobs.scripts import CHANGE_SCRIPT
from catfeeder.queue.lua_scripts import Script
from worker.consuming.in_flight.lanes import LANES_TEXT

_FETCH_TEXT: Final = f"""
{LANES_TEXT}
redis.call('ZADD', KEYS[4], ARGV[1], ARGV[2])
local count, limit = tonumber(ARGV[3]), tonumber(ARGV[4])
local is_held, in_hand = {{}}, {{}}
for place = 7, #ARGV do
    is_held[ARGV[place]] = true
    local _, app = read_note(ARGV[place])
    if app and place < 7 + ARGV[6] then in_hand[app] = (in_hand[app] or 0) + 1 end
end
local may_take = not is_idle()
local may_stand_by = not (may_take and is_paused())
if not (may_take and may_stand_by) then count = 0 end
if count > 0 then
    keep_types()
    sort(tonumber(ARGV[5]))
end
local taken = {{}}
local order = {{}}
for _ = 1, count do
    local id = take(in_hand, limit)
    if not id then break end
    redis.call('SADD', KEYS[3], id)
    taken[id] = true
    order[#order + 1] = id
end
if count > 0 then forget_what_is_gone() notify_unsorted() end
local wanted = tonumber(ARGV[3])
if wanted > 0 then
    if #order == wanted then stand_down(ARGV[2])
    elseif may_stand_by then stand_by(ARGV[2], in_hand, limit) end
    if #order > 0 then wake_next() end
end
if wanted > 0 and #order == 0 then
    if redis.call('SCARD', KEYS[3]) <= #ARGV - 6 then return {{}} end
end
local found = {{}}
local function add(id)
    found[#found + 1] = id
    found[#found + 1] = redis.call('HGET', KEYS[2], id)
    found[#found + 1] = redis.call('GET', KEYS[5] .. id)
    found[#found + 1] = redis.call('EXISTS', KEYS[6] .. id)
end
for _, id in ipairs(redis.call('SMEMBERS', KEYS[3])) do
    if not is_held[id] and not taken[id] then add(id) end
end
for _, id in ipairs(order) do
    if not is_held[id] then add(id) end
end
return found
"""

#: Fetches up to ARGV[3] messages, none of a paused queue, and with them those that an earlier
#: command fetched whose answer was lost; ARGV[7..] are the ids in hand, of which threads process
#: the first ARGV[6]. The app with the fewest of these has the first turn, and none gets more than
#: ARGV[4] unless that is 0. ARGV[5] is what a message without a note costs. Each message is four
#: values: its id, its body, how many workers died while they processed it, and whether it is spent.
#: A worker that might have taken more is woken by the next message, and is the one for it.
FETCH: Final = Script(_FETCH_TEXT, runs_when_full=True)

#: Removes a message from its queue for good, unless it went to another worker meanwhile. Its id is
#: spent for ARGV[2] seconds, so that its bytes are worth nothing if they are pushed once more.
ACKNOWLEDGE: Final = Script("""
if redis.call('SREM', KEYS[1], ARGV[1]) == 1 then
    redis.call('HDEL', KEYS[2], ARGV[1])
    if ARGV[2] ~= '0' then redis.call('SET', KEYS[3] .. ARGV[1], '', 'EX', ARGV[2]) end
    redis.call('HDEL', string.sub(KEYS[2], 1, -#'.msgs' - 1) .. '.lanes', ARGV[1])
end
""")

#: Ends a job by CHANGE_SCRIPT, whose keys and arguments follow ours, then does what ACKNOWLEDGE
#: does. With two steps, a worker that died between them could lose the job.
END_JOB: Final = Script(f"""
local function change(KEYS, ARGV)
{CHANGE_SCRIPT.text}
end
change({{unpack(KEYS, 4)}}, {{unpack(ARGV, 3)}})
{ACKNOWLEDGE.text}
""")

#: Does what ACKNOWLEDGE does, or END_JOB where the job's keys are there, and then fetches up to
#: ARGV[3] messages; ARGV[4] is the number of ids behind ARGV[9] that are in hand. In one step:
#: of two scripts a server may have forgotten the first alone, and the second would then fetch the
#: very message that the first was to remove.
ACKNOWLEDGE_AND_FETCH: Final = Script(
    f"""
local function change(KEYS, ARGV)
{CHANGE_SCRIPT.text}
end
local function fetch(KEYS, ARGV)
{_FETCH_TEXT}
end
local behind = 10 + tonumber(ARGV[4])
if KEYS[7] then change({{unpack(KEYS, 7)}}, {{unpack(ARGV, behind)}}) end
{ACKNOWLEDGE.text}
local arguments = {{ARGV[5], ARGV[6], ARGV[3], unpack(ARGV, 7, behind - 1)}}
return fetch({{KEYS[4], KEYS[2], KEYS[1], KEYS[5], KEYS[6], KEYS[3]}}, arguments)
""",
    runs_when_full=True,
)

#: Beats at ARGV[3] for the workers ARGV[4..] and stores ARGV[2], the report of the worker ARGV[1].
#: Returns all workers with their heartbeats, then all workers that have a report.
BEAT: Final = Script(
    """
for place = 4, #ARGV do redis.call('ZADD', KEYS[1], ARGV[3], ARGV[place]) end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return {redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES'), redis.call('HKEYS', KEYS[2])}
""",
    runs_when_full=True,
)

#: Sets for ARGV[2] seconds that ARGV[1] workers died while they processed a message.
SET_WORKER_DEATHS: Final = Script(
    "redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])",
    runs_when_full=True,
)

#: Requeues what was fetched and not acknowledged: all of it, or the ids ARGV[4..]. LPUSH puts it at
#: the head of its lane, since it has waited longest; RPUSH at the tail of the queue, for other
#: releases. With ARGV[3] the worker is dead, which is counted for each message, up to two times.
REQUEUE: Final = Script(
    f"""
{LANES_TEXT}
local ids = {{}}
if #ARGV > 3 then
    for place = #ARGV, 4, -1 do ids[#ids + 1] = ARGV[place] end
else
    ids = redis.call('SMEMBERS', KEYS[3])
end
local count = 0
for _, id in ipairs(ids) do
    if redis.call('SREM', KEYS[3], id) == 1 and redis.call('HEXISTS', KEYS[2], id) == 1 then
        if ARGV[3] ~= '0' then
            local ends = KEYS[4] .. id
            if tonumber(redis.call('GET', ends) or 0) < 2 then redis.call('INCR', ends) end
            redis.call('EXPIRE', ends, ARGV[3])
        end
        local cost, app = read_note(id)
        app = app or claimed_app(redis.call('HGET', KEYS[2], id))
        charge(app, cost)
        if ARGV[1] == 'LPUSH' then push('LPUSH', app, id) else redis.call('RPUSH', KEYS[1], id) end
        count = count + 1
    end
end
if count > 0 and ARGV[1] == 'LPUSH' then redis.pcall('PUBLISH', ARGV[2], '') end
return count
""",
    runs_when_full=True,
)
