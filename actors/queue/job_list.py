"""Job list: the latest jobs of an app, or of all, as far as Redis still has their records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import redis

from actors.errors import CursorInvalid
from catfeeder.errors import SealBroken
from catfeeder.queue.jobs.index import index_key
from catfeeder.queue.jobs.scripts import job_key
from catfeeder.queue.jobs.store import JobReader, JobRecord
from catfeeder.queue.keys import KeyName
from catfeeder.queue.redis.connection import translate_redis_errors
from catfeeder.queue.redis.faults import is_of_other_type
from models.apps import TAB_APPS
from models.db.database import hold_connection

_AT_ONCE: Final = 200
#: A filter that few jobs pass ends a page early; its cursor leads on.
_MAX_READ: Final = 2000
_MAX_DIGITS: Final = 17


class JobFilter(NamedTuple):
    """What jobs are listed; None stands for all."""

    status: str | None = None
    actor: str | None = None

    def passes(self, job: JobRecord) -> bool:
        """Return whether a job is to be listed."""
        return self.status in (None, job.status.value) and self.actor in (None, job.actor)


class _Entry(NamedTuple):
    """A job by when it became known, in microseconds since 1970, with its app."""

    at: int
    job_id: str
    app: str


class JobList:
    """Lists jobs; `check` raises SealBroken for a key that serves no more."""

    def __init__(
        self, client: redis.Redis, reader: JobReader, check: Callable[[KeyName], None]
    ) -> None:
        self._redis = client
        self._reader = reader
        self._check = check

    def page(
        self, app: str | None, wanted: JobFilter, cursor: str | None, limit: int
    ) -> tuple[list[JobRecord], str | None]:
        """Return up to `limit` jobs, the latest first, and the cursor of the next page.

        A page may have fewer than there are, where many were looked at for few.

        Raises:
            CursorInvalid: No earlier page gave this cursor.
            QueueUnreachable, DatabaseUnreachable: One of them did not answer.
        """
        before = _parse(cursor)
        apps = [app] if app is not None else _list_apps()
        found: list[JobRecord] = []
        for _ in range(_MAX_READ // _AT_ONCE):
            entries = self._read_entries(apps, before)
            for entry, record in zip(entries, self._read_records(entries), strict=True):
                if record is not None and wanted.passes(record):
                    if len(found) == limit:
                        return found, str(before)
                    found.append(record)
                before = entry.at
            if len(entries) < _AT_ONCE:
                return found, None
        return found, str(before)

    def _read_entries(self, apps: Sequence[str], before: int | None) -> list[_Entry]:
        """Return the latest entries of several indexes that are older than a time."""
        end = "+inf" if before is None else f"({before}"
        with translate_redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            for app in apps:
                pipe.zrevrangebyscore(index_key(app), end, "-inf", 0, _AT_ONCE, withscores=True)
            answers: list[Any] = pipe.execute(raise_on_error=False)
        entries = [
            _Entry(int(at), job_id.decode(errors="replace"), app)
            for app, answer in zip(apps, answers, strict=True)
            if not _raise_unless_other_type(answer)
            for job_id, at in answer
        ]
        return sorted(entries, reverse=True)[:_AT_ONCE]

    def _read_records(self, entries: Sequence[_Entry]) -> Iterator[JobRecord | None]:
        """Yield the record of each entry; None for one that has expired, or is not what it says."""
        with translate_redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            for entry in entries:
                pipe.hgetall(job_key(entry.job_id))
            answers: list[Any] = pipe.execute(raise_on_error=False) if entries else []
        for entry, fields in zip(entries, answers, strict=True):
            known = not _raise_unless_other_type(fields)
            record = self._reader.read_hash(entry.job_id, fields) if known else None
            yield record if record and record.app == entry.app and self._serves(record) else None

    def _serves(self, record: JobRecord) -> bool:
        key = record.sealed_by
        if key is None or key.is_service:
            return True
        try:
            self._check(key)
        except SealBroken:
            return False
        return True


def _raise_unless_other_type(answer: Any) -> bool:
    """Return whether another program has written something else there.

    Raises:
        QueueUnreachable: Redis has answered with another error.
    """
    if is_of_other_type(answer):
        return True
    with translate_redis_errors():
        if isinstance(answer, redis.RedisError):
            raise answer
    return False


def _list_apps() -> list[str]:
    with hold_connection():
        return [row.id for row in TAB_APPS.list_all()]


def _parse(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= _MAX_DIGITS):
        raise CursorInvalid
    return int(cursor)
