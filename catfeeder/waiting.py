"""Waiting for jobs in asyncio: one subscription a process, and a future for each who waits."""

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
from catfeeder.job_scripts import CHANNEL_PREFIX
from catfeeder.jobs import JobRecord

#: Redis publishes at most once, and a connection can be dead without telling. So those who wait
#: look for themselves as well, rarely enough for a thousand of them to be no load.
_LOOK_ANYWAY_SECONDS: Final = 5.0
_RECONNECT_SECONDS: Final = 0.5
_ASK_AGAIN_SECONDS: Final = 0.1
#: More than end between the sending of a job and the waiting for it, which follows at once.
_MOST_REMEMBERED: Final = 1000
#: So many must fit into memory, and a provider may make a profile a megabyte long. Of what is
#: larger we remember that it was told, and look.
_LARGEST_REMEMBERED_BYTES: Final = 8 * 1024
_log: Final = logging.getLogger(__name__)

#: Rung when a job may have ended, with its record where that is known.
Bell = asyncio.Future[JobRecord | None]


async def cancel_and_wait(listening: asyncio.Task[None]) -> None:
    """Cancel a task until it has ended.

    Asked once it may go on for ever: redis sends by `asyncio.wait_for`, which before Python 3.12
    forgets that it was cancelled when it was so just as the sending ended.

    Raises:
        Whatever the task did, but for its own cancellation.
    """
    while not listening.done():
        listening.cancel()
        await asyncio.wait([listening], timeout=_ASK_AGAIN_SECONDS)
    if not listening.cancelled():
        listening.result()


class JobWaiter:
    """Where tasks wait for their jobs; no thread and no connection is held meanwhile."""

    def __init__(
        self,
        redis: Redis,
        look: Callable[[str], Awaitable[JobRecord | None]],
        read: Callable[[str, bytes], JobRecord | None],
    ) -> None:
        """Take the connection to listen on, how to look a job up, and how to read what is told
        at its end.
        """
        self._redis = redis
        self._look = look
        self._read = read
        self._bells: defaultdict[str, set[Bell]] = defaultdict(set)
        #: What was told of jobs that nobody waits for yet: some end before the wait begins.
        self._latest: OrderedDict[str, bytes] = OrderedDict()
        self._hears_all_since: datetime | None = None
        self._is_closed = False
        # True from the start, so that the first failure is told of, and each one not.
        self._is_listening = True

    def __len__(self) -> int:
        """Return how many wait now."""
        return sum(map(len, self._bells.values()))

    async def wait(self, record: JobRecord, seconds: float) -> JobRecord:
        """Return the job as it is once it has ended, or after `seconds`.

        Raises:
            Whatever `look` does.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        record = self._told_of(record) or record
        would_have_heard = self._hears_all_of(record) and record.id not in self._latest
        # Who is sent off looks no more: what the room was made with may be gone.
        while not record.status.is_final and not self._is_closed:
            # The bell hangs before we look, so an end between the two is not missed.
            with self._bell(record.id) as bell:
                if not would_have_heard:
                    record = await self._look(record.id) or record
                would_have_heard = False
                left = deadline - loop.time()
                if record.status.is_final or left <= 0:
                    break
                await asyncio.wait([bell], timeout=min(left, _LOOK_ANYWAY_SECONDS))
                record = (bell.result() if bell.done() else None) or record
        return record

    def _told_of(self, record: JobRecord) -> JobRecord | None:
        told = self._latest.get(record.id)
        heard = None if told is None else self._read(record.id, told)
        # What was told of a job that is sent anew since then is of the time before.
        return heard if heard and heard.enqueued_at == record.enqueued_at else None

    def _hears_all_of(self, record: JobRecord) -> bool:
        """Tell whether we have listened for all of a job's life, so that a look can wait."""
        return self._hears_all_since is not None and record.enqueued_at > self._hears_all_since

    @contextmanager
    def _bell(self, job_id: str) -> Iterator[Bell]:
        bell: Bell = asyncio.get_running_loop().create_future()
        self._bells[job_id].add(bell)
        try:
            yield bell
        finally:
            self._bells[job_id].discard(bell)
            if not self._bells[job_id]:
                del self._bells[job_id]

    def close(self) -> None:
        """Send everybody off with what is known, now and from now on."""
        self._is_closed = True
        self._ring(list(self._bells))

    def _ring(self, job_ids: Iterable[str], record: JobRecord | None = None) -> None:
        for job_id in job_ids:
            for bell in self._bells.get(job_id, ()):
                if not bell.done():
                    bell.set_result(record)

    async def listen(self) -> None:
        """Ring the bells of jobs that end, until cancelled; a lost connection is made anew."""
        while True:
            try:
                await self._listen_once()
            except (RedisError, OSError) as error:
                self._hears_all_since = None
                if self._is_listening:
                    _log.warning("Lost the announcements of ended jobs: %s.", type(error).__name__)
                self._is_listening = False
                await asyncio.sleep(_RECONNECT_SECONDS)

    async def _listen_once(self) -> None:
        async with self._redis.pubsub() as announcements:
            await announcements.psubscribe(f"{CHANNEL_PREFIX}*")
            while True:
                message = await announcements.get_message(timeout=_LOOK_ANYWAY_SECONDS)
                if message is not None:
                    self._hear(message)

    def _hear(self, message: dict[str, Any]) -> None:
        if message["type"] == "pmessage":
            # Whoever reaches Redis may publish, on whatever channel begins like ours.
            channel = message["channel"].decode(errors="replace")
            job_id = channel.removeprefix(CHANNEL_PREFIX)
            # Most jobs are waited for by nobody, or in another process.
            if job_id in self._bells:
                self._ring([job_id], self._read(job_id, message["data"]))
            else:
                self._remember(job_id, message["data"])
        else:
            # The subscription is new: what ended before it was not announced to us.
            self._is_listening = True
            self._hears_all_since = utc_now()
            self._ring(list(self._bells))

    def _remember(self, job_id: str, told: bytes) -> None:
        self._latest[job_id] = told if len(told) <= _LARGEST_REMEMBERED_BYTES else b""
        if len(self._latest) > _MOST_REMEMBERED:
            self._latest.popitem(last=False)
