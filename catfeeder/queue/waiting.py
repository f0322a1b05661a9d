"""Publish/subscribe: tasks wait for their jobs on one subscription a process, a future for each."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from catfeeder.clock import utc_now
from catfeeder.queue.jobs.scripts import CHANNEL_PREFIX
from catfeeder.queue.jobs.store import JobRecord
from catfeeder.queue.redis.faults import describe_loss

#: Redis publishes at most once, and a connection can be dead unnoticed. So each task that waits
#: polls as well, rarely enough for a thousand of them to be no load.
_POLL_INTERVAL_SECONDS: Final = 5.0
_RECONNECT_DELAY_SECONDS: Final = 0.5
_CANCEL_AGAIN_SECONDS: Final = 0.1
#: More than end between the sending of a job and the waiting for it, which follows at once.
_MAX_CACHED: Final = 1000
#: So many must fit into memory, and a provider may make a profile a megabyte long. Of what is
#: larger the cache has the id alone, and the record is looked up.
_MAX_CACHED_BYTES: Final = 8 * 1024
_LOG: Final = logging.getLogger(__name__)

#: Resolved when a job may have ended, with its announcement where there was one.
Waiter = asyncio.Future[bytes | None]


async def cancel_and_wait(task: asyncio.Task[None]) -> None:
    """Cancel a task until it has ended.

    A task that is cancelled once may go on for ever: redis sends by `asyncio.wait_for`, which
    before Python 3.12 loses a cancellation that comes just as the sending ends.

    Raises:
        BaseException: What the task raised, its own cancellation excepted.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_CANCEL_AGAIN_SECONDS)
    if not task.cancelled():
        task.result()


async def _result_within(waiter: Waiter, seconds: float) -> bytes | None:
    """Return what a future is resolved with; after `seconds` it is resolved with None."""
    timer = asyncio.get_running_loop().call_later(seconds, _resolve, waiter, None)
    try:
        return await waiter
    finally:
        timer.cancel()


def _resolve(waiter: Waiter, announcement: bytes | None) -> None:
    if not waiter.done():
        waiter.set_result(announcement)


class JobWaiter:
    """Lets tasks wait for their jobs; no thread and no connection is held meanwhile."""

    def __init__(
        self,
        redis: Redis,
        find: Callable[[str], Awaitable[JobRecord | None]],
        parse: Callable[[JobRecord, bytes], JobRecord | None],
        *,
        poll_interval: float = _POLL_INTERVAL_SECONDS,
        reconnect_delay: float = _RECONNECT_DELAY_SECONDS,
    ) -> None:
        """Listen by `redis`, look a job up by `find`, and read its announcement by `parse`.

        `poll_interval` and `reconnect_delay` are in seconds.
        """
        self._redis = redis
        self._find = find
        self._parse = parse
        self._poll_interval = poll_interval
        self._reconnect_delay = reconnect_delay
        self._waiters: defaultdict[str, set[Waiter]] = defaultdict(set)
        #: Announcements of jobs that no task waits for yet: some end before the wait begins.
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        #: Since when every announcement has been received; None while the connection is lost.
        self.subscribed_since: datetime | None = None
        self._is_closed = False
        # True from the start, so that the first failure is logged, and the repeated ones are not.
        self._was_subscribed = True

    def __len__(self) -> int:
        """Return how many tasks wait now."""
        return sum(map(len, self._waiters.values()))

    async def wait(self, record: JobRecord, seconds: float) -> JobRecord:
        """Return the job as it is once it has ended, or after `seconds`.

        Raises:
            Exception: What `find` raises.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        record = self._cached(record) or record
        is_current = self._has_received_all_of(record) and record.id not in self._cache
        # After `close` there is no look either: the connections may be gone.
        while not record.status.is_final and not self._is_closed:
            # The future is there before the look, so an end between the two is not missed.
            with self._waiter(record.id) as waiter:
                if not is_current:
                    record = await self._find(record.id) or record
                is_current = False
                left = deadline - loop.time()
                if record.status.is_final or left <= 0:
                    break
                announcement = await _result_within(waiter, min(left, self._poll_interval))
                record = (announcement and self._parse(record, announcement)) or record
        return record

    def _cached(self, record: JobRecord) -> JobRecord | None:
        announcement = self._cache.get(record.id)
        cached = None if announcement is None else self._parse(record, announcement)
        # A job may have been sent anew under its id since then.
        return cached if cached and cached.enqueued_at == record.enqueued_at else None

    def _has_received_all_of(self, record: JobRecord) -> bool:
        """Return whether the subscription is older than the job, so that a look can wait."""
        return self.subscribed_since is not None and record.enqueued_at > self.subscribed_since

    @contextmanager
    def _waiter(self, job_id: str) -> Iterator[Waiter]:
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._waiters[job_id].add(waiter)
        try:
            yield waiter
        finally:
            self._waiters[job_id].discard(waiter)
            if not self._waiters[job_id]:
                del self._waiters[job_id]

    def close(self) -> None:
        """Return to each task that waits, now or later, the job as it is known."""
        self._is_closed = True
        self._wake(list(self._waiters))

    def reopen(self) -> None:
        """Let tasks wait again after a `close`."""
        self._is_closed = False

    def _wake(self, job_ids: Iterable[str], announcement: bytes | None = None) -> None:
        for job_id in job_ids:
            for waiter in self._waiters.get(job_id, ()):
                _resolve(waiter, announcement)

    async def listen(self) -> None:
        """Wake the tasks whose jobs end, until cancelled; a lost connection is made anew."""
        while True:
            try:
                await self._listen_once()
            except (RedisError, OSError) as error:
                self.subscribed_since = None
                if self._was_subscribed:
                    _LOG.warning("Lost the announcements of ended jobs: %s.", describe_loss(error))
                self._was_subscribed = False
                await asyncio.sleep(self._reconnect_delay)

    async def _listen_once(self) -> None:
        async with self._redis.pubsub() as subscription:
            await subscription.psubscribe(f"{CHANNEL_PREFIX}*")
            while True:
                message = await subscription.get_message(timeout=self._poll_interval)
                if message is not None:
                    self._receive(message)

    def _receive(self, message: dict[str, Any]) -> None:
        if message["type"] != "pmessage":
            # The subscription is new: what ended before it was not announced to this process.
            self._was_subscribed = True
            self.subscribed_since = utc_now()
            self._wake(list(self._waiters))
            return
        # Any client of Redis may publish, on whatever channel begins like ours.
        job_id = message["channel"].decode(errors="replace").removeprefix(CHANNEL_PREFIX)
        # For most jobs no task waits, or one in another process.
        if job_id in self._waiters:
            self._wake([job_id], message["data"])
        else:
            self._remember(job_id, message["data"])

    def _remember(self, job_id: str, announcement: bytes) -> None:
        is_small = len(announcement) <= _MAX_CACHED_BYTES
        self._cache[job_id] = announcement if is_small else b""
        if len(self._cache) > _MAX_CACHED:
            self._cache.popitem(last=False)
