"""Process list: what runs and in which version, by announcements in Redis that expire.

A worker's report says it; web processes and schedulers, which send none, announce themselves.
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypedDict, cast

import redis

import catfeeder
from catfeeder.errors import QueueUnreachable
from catfeeder.messages import QUEUES
from catfeeder.queue.broker import NAMESPACE
from catfeeder.queue.lua_scripts import Call, Script, call_script
from catfeeder.queue.redis.connection import translate_redis_errors

_KEY: Final = f"{NAMESPACE}:processes"
ANNOUNCE_SECONDS: Final = 5.0
#: A process that has announced nothing for so long has ended, or cannot reach Redis.
_TTL_SECONDS: Final = 16
_UNKNOWN: Final = "unknown"
#: By the clock of Redis: no two machines' are compared.
_ANNOUNCE: Final = Script(f"""
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - {_TTL_SECONDS})
redis.call('EXPIRE', KEYS[1], {_TTL_SECONDS})
""")
_READ: Final = Script(f"""
local now = tonumber(redis.call('TIME')[1])
return redis.call('ZRANGEBYSCORE', KEYS[1], now - {_TTL_SECONDS}, '+inf')
""")


class RunningProcesses(TypedDict):
    """The processes of one kind that run the same version."""

    kind: str
    version: str
    count: int


class ProcessAnnouncer:
    """Announces one process every few seconds; without Redis it does nothing."""

    def __init__(
        self, client: redis.Redis, kind: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._entry = json.dumps(
            {
                "kind": kind,
                "version": catfeeder.__version__,
                "id": uuid.uuid4().hex,
                # Which of a kind is the oldest: a total order is enough, so clocks may differ.
                "since": f"{time.time():017.6f}",
            }
        )
        self._kind = kind
        self._clock = clock
        self._next_at = clock()

    def announce(self) -> None:
        """Announce the process, if that is due."""
        if self._clock() < self._next_at:
            return
        self._next_at = self._clock() + ANNOUNCE_SECONDS
        with contextlib.suppress(QueueUnreachable), translate_redis_errors():
            call_script(self._client, Call(_ANNOUNCE, [_KEY], [self._entry]))

    def is_oldest(self) -> bool:
        """Return whether no live process of this kind was started before this one.

        Raises:
            QueueUnreachable: Redis did not answer.
        """
        own = _find_age(cast("dict[str, str]", _parse(self._entry)))
        known = filter(None, map(_parse, _read_announced(self._client)))
        ages = [_find_age(each) for each in known if each["kind"] == self._kind]
        return all(own <= age for age in ages if age[0])

    def withdraw(self) -> None:
        """Take the announcement back, at the end of the process."""
        with contextlib.suppress(QueueUnreachable), translate_redis_errors():
            self._client.zrem(_KEY, self._entry)


def read_processes(
    client: redis.Redis, reports: Sequence[Mapping[str, Any]]
) -> list[RunningProcesses]:
    """Return what runs, by kind and version; `reports` are those of the workers.

    Raises:
        QueueUnreachable: Redis did not answer.
    """
    announced = filter(None, map(_parse, _read_announced(client)))
    found = [(each["kind"], each["version"]) for each in announced]
    found += [(_name_worker(each), each.get("version", _UNKNOWN)) for each in reports]
    return [
        {"kind": kind, "version": version, "count": count}
        for (kind, version), count in sorted(Counter(found).items())
    ]


def _read_announced(client: redis.Redis) -> list[bytes]:
    with translate_redis_errors():
        return cast("list[bytes]", call_script(client, Call(_READ, [_KEY], [])))


def _find_age(announced: Mapping[str, str]) -> tuple[str, str]:
    return announced.get("since", ""), announced.get("id", "")


def _name_worker(report: Mapping[str, Any]) -> str:
    queues = [queue for queue in QUEUES if queue in report.get("per_second", {})]
    return f"worker of {', '.join(queues)}" if queues else "worker"


def _parse(entry: bytes | str) -> dict[str, str] | None:
    """Return an announcement; None for what another program has written."""
    try:
        found = json.loads(entry)
    except ValueError:
        return None
    is_ours = isinstance(found, dict) and {"kind", "version"} <= found.keys()
    return {name: str(value)[:64] for name, value in found.items()} if is_ours else None
