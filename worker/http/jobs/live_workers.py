"""Live workers by queue, by the heartbeats that change between two looks of this process."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Final, cast

from redis.asyncio import Redis

from catfeeder.messages import QUEUES
from catfeeder.queue.broker import WORKERS_KEY
from catfeeder.queue.redis.connection import translate_redis_errors
from worker.consuming.in_flight.messages import HEARTBEATS_KEY

#: A worker beats each second; no two machines' clocks are compared.
_TIMEOUT_SECONDS: Final = 5.0


class LiveWorkers:
    """Counts the workers of each queue whose heartbeat goes on."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds."""
        self._clock = clock
        #: By worker, its last heartbeat and when it was first seen.
        self._seen: dict[bytes, tuple[float, float]] = {}

    async def count(self, client: Redis) -> dict[str, int]:
        """Return the number of live workers by queue.

        Raises:
            QueueUnreachable: Redis did not answer.
        """
        with translate_redis_errors():
            pipeline = client.pipeline(transaction=False)
            pipeline.hgetall(WORKERS_KEY)
            pipeline.zrange(HEARTBEATS_KEY, 0, -1, withscores=True)
            reports, beats = cast("tuple[dict[bytes, bytes], Any]", await pipeline.execute())
        live = self._find_live(dict(beats))
        rates = [
            json.loads(text).get("per_second", {}) for name, text in reports.items() if name in live
        ]
        return {queue: sum(queue in rate for rate in rates) for queue in QUEUES}

    def _find_live(self, beats: dict[bytes, float]) -> set[bytes]:
        now = self._clock()
        self._seen = {
            name: self._seen[name] if self._seen.get(name, (None,))[0] == beat else (beat, now)
            for name, beat in beats.items()
        }
        return {name for name, (_, since) in self._seen.items() if now - since < _TIMEOUT_SECONDS}
