"""Lanes (fair queueing): what waits on a queue, by app, so that each app has its turn.

Every client appends to the queue's own list, as Dramatiq does. Workers sort that list into a lane
for each app when they fetch (`worker.consuming.in_flight.lanes`), and serve the lanes in turn.
Beside the list `catfeeder:passwords` and its bodies there are

- `.lane:<app>`, the list of an app's sorted messages; internal messages have no app;
- `.turns`, the list of the apps that have such a lane, in the order of their turns;
- `.lanes`, for each message that waits or is in flight, its cost and app as `<cost>:<app>`;
- `.backlog`, for each app the cost of all that waits;
- `.idle`, the workers that wait for a message: for each, as what follows `catfeeder:bell:` in the
  name of its channel, the apps of which it holds all that it may, or `!` while it is awake.

The costs are those of `actors.passwords.costs`. The names are derived from the list's within the
scripts: a queue lives on one server.
"""

from __future__ import annotations

from typing import Final

from catfeeder.queue.lua_scripts import Script

#: The channels on which workers are woken begin so.
NOTIFICATION_PREFIX: Final = "catfeeder:bell:"
#: How many workers one message looks at: some hold all that they may, and some have died.
_MOST_TRIED: Final = 100

#: Names the keys of the queue KEYS[1] within a script.
NAMES_TEXT: Final = """
local lanes, turns = KEYS[1] .. '.lanes', KEYS[1] .. '.turns'
local backlog, idle = KEYS[1] .. '.backlog', KEYS[1] .. '.idle'
local function lane(app) return KEYS[1] .. '.lane:' .. app end
"""

#: Wakes one of the workers that wait, and may take a message of `app`; returns whether one was. A
#: worker that has died hears nothing, so the next is tried.
WAKE_TEXT: Final = f"""
local function wake(app)
    local workers = redis.pcall('HGETALL', idle)
    for place = 1, workers.err and 0 or math.min(#workers, {2 * _MOST_TRIED}), 2 do
        local worker, full = workers[place], workers[place + 1]
        if full ~= '!' and not string.find(full, ' ' .. app .. ' ', 1, true) then
            redis.pcall('HSET', idle, worker, '!')
            local heard = redis.pcall('PUBLISH', '{NOTIFICATION_PREFIX}' .. worker, '')
            if type(heard) == 'number' and heard > 0 then return true end
        end
    end
    return false
end
"""

#: Notes that the message `id` of `app` has been appended. What of this cannot be done fails
#: nothing: the message is there, and workers sort one without a note as well.
NOTE_TEXT: Final = f"""
{NAMES_TEXT}
{WAKE_TEXT}
local function note(id, app, cost)
    redis.pcall('HSET', lanes, id, cost .. ':' .. app)
    if cost ~= '' then redis.pcall('HINCRBY', backlog, app, cost) end
    -- Of an app that has sorted messages waiting, each worker that may take one is awake.
    if redis.pcall('LLEN', lane(app)) == 0 then wake(app) end
end
"""

#: Returns how many messages of the queue KEYS[1] wait.
DEPTH: Final = Script(f"""
{NAMES_TEXT}
local count = redis.call('LLEN', KEYS[1])
for _, app in ipairs(redis.call('LRANGE', turns, 0, -1)) do
    count = count + redis.call('LLEN', lane(app))
end
return count
""")

#: Returns the bodies of those that have waited longest: of each app, and of what is not sorted.
HEADS: Final = Script(f"""
{NAMES_TEXT}
local heads = {{redis.call('LINDEX', KEYS[1], 0) or nil}}
for _, app in ipairs(redis.call('LRANGE', turns, 0, -1)) do
    heads[#heads + 1] = redis.call('LINDEX', lane(app), 0) or nil
end
local bodies = {{}}
for _, id in ipairs(heads) do
    bodies[#bodies + 1] = redis.call('HGET', KEYS[1] .. '.msgs', id) or nil
end
return bodies
""")


def backlog_key(queue_key: str) -> str:
    """Return the key of the hash that has for each app the cost of all that waits."""
    return f"{queue_key}.backlog"


def idle_key(queue_key: str) -> str:
    """Return the key of the hash of the workers that wait to be woken."""
    return f"{queue_key}.idle"
