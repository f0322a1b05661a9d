"""Fair queueing in Lua: a fetch sorts what has come by app, and takes from the apps in turn.

Parts of the scripts of `worker.consuming.in_flight.scripts`; `catfeeder.queue.lanes` describes the
keys.
"""

from __future__ import annotations

from typing import Final

from catfeeder.queue.broker import NAMESPACE, PAUSED_KEY
from catfeeder.queue.lanes import NAMES_TEXT, NOTIFICATION_PREFIX, WAKE_TEXT

#: How many messages are sorted in one step: a few milliseconds of the server's time.
_SORTED_AT_ONCE: Final = 500
#: Of these many apps that have messages waiting, one may be of interest to a worker that waits.
_MOST_APPS: Final = 8
#: More have not ended without a word: another client has written them.
_MOST_WORKERS: Final = 10_000

# The app of a message that came without a note, from a client that writes to Redis by itself,
# stands in its envelope (docs/wire-format.md). It is a claim until the message is opened: a false
# one takes another app's turn, once.
_CLAIM_TEXT: Final = r"""
local function claimed_app(body)
    if string.byte(body, 1) ~= 2 then return '' end
    local length = string.byte(body, 6) or 0
    local app = string.sub(body, 7, 6 + length)
    if length > 32 or not string.find(app, '^[a-z0-9][a-z0-9-]*$') then return '' end
    return app
end
"""

# An app's client may write the keys of its queues. So a key of another type is deleted, and a
# backlog that is no number, or of an app that has nothing waiting, is forgotten: neither stops a
# queue, nor has an app refused, for longer than it is written again and again.

#: Defines what finds and changes the lanes of the queue KEYS[1] with the bodies KEYS[2]. Workers
#: are notified of what a fetch left unsorted: it may be of an app that has nothing in hand.
LANES_TEXT: Final = f"""
{NAMES_TEXT}
{WAKE_TEXT}
{_CLAIM_TEXT}
local queue_name = string.sub(KEYS[1], {len(NAMESPACE) + 2})
local function read_note(id)
    local cost, app = string.match(redis.call('HGET', lanes, id) or '', '^(%d*):(.*)$')
    return tonumber(cost), app
end
local function charge(app, cost)
    if not cost then return end
    local left = redis.pcall('HINCRBY', backlog, app, cost)
    if type(left) ~= 'number' or left <= 0 then redis.call('HDEL', backlog, app) end
end
local function add_note(id, usual_cost)
    local cost, app = read_note(id)
    local body = not (cost and app) and redis.call('HGET', KEYS[2], id)
    if body then
        app = app or claimed_app(body)
        redis.call('HSET', lanes, id, usual_cost .. ':' .. app)
        charge(app, usual_cost)
    end
    return app or ''
end
local function keep_type(key, kind)
    local found = redis.call('TYPE', key)['ok']
    if found ~= kind and found ~= 'none' then redis.call('DEL', key) end
end
local function keep_types()
    keep_type(KEYS[1], 'list')
    keep_type(KEYS[2], 'hash')
    keep_type(lanes, 'hash')
    keep_type(backlog, 'hash')
end
local function is_idle()
    if redis.call('EXISTS', KEYS[1], turns, backlog) > 0 then return false end
    keep_type(KEYS[2], 'hash')
    return true
end
local function is_paused()
    return redis.call('HEXISTS', '{PAUSED_KEY}', queue_name) == 1
end
local function push(command, app, id)
    keep_type(lane(app), 'list')
    if redis.call(command, lane(app), id) == 1 then redis.call(command, turns, app) end
end
local function sort(usual_cost)
    for _ = 1, {_SORTED_AT_ONCE} do
        local id = redis.call('LPOP', KEYS[1])
        if not id then break end
        push('RPUSH', add_note(id, usual_cost), id)
    end
end
local function notify_unsorted()
    if redis.call('EXISTS', KEYS[1]) == 0 then return end
    redis.pcall('PUBLISH', '{NOTIFICATION_PREFIX}' .. queue_name, '')
end
local function stand_by(worker, in_hand, limit)
    if string.sub(queue_name, -3) == '.DQ' then return end
    local full = ' '
    for app, count in pairs(in_hand) do
        if limit > 0 and count >= limit then full = full .. app .. ' ' end
    end
    keep_type(idle, 'hash')
    if redis.call('HLEN', idle) > {_MOST_WORKERS} then redis.call('DEL', idle) end
    redis.call('HSET', idle, queue_name .. ':' .. worker, full)
end
local function stand_down(worker)
    redis.pcall('HDEL', idle, queue_name .. ':' .. worker)
end
local function wake_next()
    for _, app in ipairs(redis.call('LRANGE', turns, 0, {_MOST_APPS - 1})) do
        if wake(app) then return end
    end
end
local function pick_app(in_hand, limit)
    local best, fewest = nil, nil
    for _, app in ipairs(redis.call('LRANGE', turns, 0, -1)) do
        local count = in_hand[app] or 0
        if (limit == 0 or count < limit) and (not fewest or count < fewest) then
            best, fewest = app, count
        end
    end
    return best
end
local function take(in_hand, limit)
    local app = pick_app(in_hand, limit)
    if not app then return nil end
    local id = redis.call('LPOP', lane(app))
    redis.call('LREM', turns, 1, app)
    if redis.call('EXISTS', lane(app)) == 1 then redis.call('RPUSH', turns, app) end
    in_hand[app] = (in_hand[app] or 0) + 1
    local cost = id and read_note(id)
    if cost then charge(app, -cost) end
    return id
end
local function forget_what_is_gone()
    if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('DEL', lanes, backlog) end
    if redis.call('EXISTS', KEYS[1]) == 1 then return end
    for _, app in ipairs(redis.call('HKEYS', backlog)) do
        if redis.call('EXISTS', lane(app)) == 0 then redis.call('HDEL', backlog, app) end
    end
end
"""
