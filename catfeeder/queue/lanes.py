"""Lanes (fair queueing): what waits on a queue, by app, so that each app has its turn.

Every client appends to the queue's own list, as Dramatiq does. Workers sort that list into a lane
for each app when they fetch (`worker.consuming.in_flight.lanes`), and serve the lanes in turn.
Beside the list `catfeeder:passwords` and its bodies there are

- `.lane:<app>`, the list of an app's sorted messages; internal messages have no app;
- `.turns`, the list of the apps that have such a lane, in the order of their turns;
- `.lanes`, for each message that waits or is in flight, its cost and app as `<cost>:<app>`;
- `.backlog`, for each app the cost of all that waits;
- `.unsorted`, the apps that have been announced since workers last sorted.

The costs are those of `actors.passwords.costs`. The names are derived from the list's within the
scripts: a queue lives on one server.
"""

from __future__ import annotations

from typing import Final

from catfeeder.queue.lua_scripts import Script

#: Names the keys of the queue KEYS[1] within a script.
NAMES_TEXT: Final = """
local lanes, turns = KEYS[1] .. '.lanes', KEYS[1] .. '.turns'
local backlog, unsorted = KEYS[1] .. '.backlog', KEYS[1] .. '.unsorted'
local function lane(app) return KEYS[1] .. '.lane:' .. app end
"""

#: Notes that the message `id` of `app` has been appended as the last of `waiting`, and announces it
#: on the channel ARGV[1] unless more of that app waits: then idle workers cannot take it, or have
#: been notified. What of this cannot be done fails nothing: the message is there, and workers sort
#: one without a note as well.
NOTE_TEXT: Final = f"""
local function note(KEYS, id, app, cost, waiting, channel)
{NAMES_TEXT}
redis.pcall('HSET', lanes, id, cost .. ':' .. app)
if cost ~= '' then redis.pcall('HINCRBY', backlog, app, cost) end
local is_first = redis.pcall('SADD', unsorted, app) == 1
if (waiting == 1 or is_first) and redis.pcall('LLEN', lane(app)) == 0 then
    redis.pcall('PUBLISH', channel, '')
end
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
