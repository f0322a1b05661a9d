"""Publisher: adds what this process has counted to the service's totals in Redis.

The totals are one hash for the whole service, which every process adds to. So they survive a
restart of any process, and begin anew, as Prometheus expects of a counter, where Redis is emptied.
Each batch is added once, even where the answer to it was lost.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import redis

from actors.telemetry.metrics import CPU_SECONDS, RESTARTS
from actors.telemetry.series import UNSENT, Series
from catfeeder.errors import QueueUnreachable
from catfeeder.queue.broker import NAMESPACE
from catfeeder.queue.lua_scripts import Call, Script, call_script
from catfeeder.queue.redis.connection import translate_redis_errors
from worker.telemetry.process_figures import (
    RESTARTED,
    SUPERVISOR,
    SUPERVISOR_PID,
    ProcessFigures,
    read_cpu_seconds,
    read_figures,
)

TOTALS_KEY: Final = f"{NAMESPACE}:metrics"
PROCESSES_KEY: Final = f"{NAMESPACE}:metrics:processes"
PUBLISH_SECONDS: Final = 5.0
#: Labels are bounded in each process; this bounds what any number of them, or another program on
#: Redis, can make of it.
MAX_SERIES: Final = 20_000
#: Of a service that has ended; a process forgets those that have not published for this long.
_TTL_SECONDS: Final = 7 * 86400
_FORGET_SECONDS: Final = 600

#: ARGV: the process's id, the number of its batch, its figures, then each series with its amount.
#: A batch that was added already is not added again. By the clock of Redis.
_PUBLISH: Final = Script(f"""
local now = tonumber(redis.call('TIME')[1])
for _, key in ipairs(KEYS) do
    if redis.call('TYPE', key).ok ~= 'hash' then redis.call('DEL', key) end
end
local known = redis.call('HGET', KEYS[2], ARGV[1]) or ''
if (tonumber(string.match(known, '^%d+ (%d+) ')) or 0) < tonumber(ARGV[2]) then
    local room = {MAX_SERIES} - redis.call('HLEN', KEYS[1])
    for place = 4, #ARGV, 2 do
        local is_new = redis.call('HEXISTS', KEYS[1], ARGV[place]) == 0
        if not is_new or room > 0 then
            redis.pcall('HINCRBYFLOAT', KEYS[1], ARGV[place], ARGV[place + 1])
            if is_new then room = room - 1 end
        end
    end
end
redis.call('HSET', KEYS[2], ARGV[1], now .. ' ' .. ARGV[2] .. ' ' .. ARGV[3])
local all = redis.call('HGETALL', KEYS[2])
for place = 1, #all, 2 do
    local at = tonumber(string.match(all[place + 1], '^%d+')) or 0
    if at < now - {_FORGET_SECONDS} then redis.call('HDEL', KEYS[2], all[place]) end
end
redis.call('EXPIRE', KEYS[1], {_TTL_SECONDS})
redis.call('EXPIRE', KEYS[2], {_TTL_SECONDS})
""")


class MetricsPublisher:
    """Publishes for one process, every few seconds; without Redis it keeps what there is."""

    def __init__(
        self, client: redis.Redis, role: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`role` is the process's line of the Procfile, for its figures."""
        self._client = client
        self._role = role
        self._clock = clock
        self._id = uuid.uuid4().hex
        self._next_at = clock()
        self._supervisor_pid = os.environ.get(SUPERVISOR_PID, "")
        self._cpu_seconds: dict[str, float] = {}
        self._number = 0
        self._pending: Mapping[Series, float] = {}

    def set_role(self, role: str) -> None:
        """Name the process's role, once that is known."""
        self._role = role

    @property
    def is_due(self) -> bool:
        """Whether it is time to publish."""
        return self._clock() >= self._next_at

    def publish(self) -> None:
        """Publish, if that is due."""
        if self.is_due:
            self.publish_now()

    def publish_now(self) -> None:
        """Publish what was counted until now."""
        self._next_at = self._clock() + PUBLISH_SECONDS
        if not self._pending:
            self._count()
            self._pending, self._number = UNSENT.drain(), self._number + 1
        figures = json.dumps(self._read_figures(), separators=(",", ":"))
        arguments = [self._id, self._number, figures, *_write(self._pending)]
        with contextlib.suppress(QueueUnreachable, redis.RedisError), translate_redis_errors():
            call_script(self._client, Call(_PUBLISH, [TOTALS_KEY, PROCESSES_KEY], arguments))
            self._pending = {}

    def end(self) -> None:
        """Publish for the last time, and count as running no more."""
        self.publish_now()
        with contextlib.suppress(QueueUnreachable, redis.RedisError), translate_redis_errors():
            self._client.hdel(PROCESSES_KEY, self._id)

    def _read_figures(self) -> list[ProcessFigures]:
        return [read_figures(role, process) for role, process in self._list_processes()]

    def _list_processes(self) -> list[tuple[str, str]]:
        """Return this process, and its supervisor where this one reports for it."""
        own = [(self._role, "self")]
        return [*own, (SUPERVISOR, self._supervisor_pid)] if self._supervisor_pid else own

    def _count(self) -> None:
        """Count what the kernel counts, and once that this process replaces another."""
        for role, process in self._list_processes():
            used = read_cpu_seconds(process)
            CPU_SECONDS.inc(role, amount=max(0.0, used - self._cpu_seconds.get(process, 0.0)))
            self._cpu_seconds[process] = used
        if role := os.environ.pop(RESTARTED, ""):
            RESTARTS.inc(role)


def _write(amounts: Mapping[Series, float]) -> Iterator[str]:
    for series, amount in amounts.items():
        yield json.dumps([series.metric, series.labels, series.part], separators=(",", ":"))
        yield repr(amount)
