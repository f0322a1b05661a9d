"""Search of connections: keyset pages and counts that read a bounded number of rows.

The most telling filter is answered by its index, in the order of the pages; the others are compared
with what that yields. So a page may end before it is full, and the next one goes on from there.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import reduce
from itertools import islice
from operator import and_
from typing import Final, NamedTuple

import peewee

from models.db.database import database
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.email_lookup import has_email

#: What a page and a count read at most, where a filter remains that the index does not answer.
_MAX_READ: Final = 5_000
_MAX_COUNT_READ: Final = 20_000
#: The greatest number that a count finds out.
MAX_COUNT: Final = 10_000
_CHUNK: Final = 500
_T: Final = TAB_CONNECTIONS
Position = tuple[datetime, str]


class ConnectionSearch(NamedTuple):
    """What a connection is to have; None is any. `text` is its subject or its e-mail address."""

    text: str | None = None
    app: str | None = None
    providers: Sequence[str] | None = None
    status: str | None = None

    def matches(self, key: _Key) -> bool:
        """Return whether a connection has what is searched for beside the text."""
        return (
            self.app in (None, key.app)
            and self.status in (None, key.status)
            and (self.providers is None or key.provider in self.providers)
        )


class FoundConnections(NamedTuple):
    """A page, newest first; `end` is where the next one begins, if there is one."""

    rows: list[TAB_CONNECTIONS]
    end: Position | None


class Count(NamedTuple):
    """How many connections match; not exact where they are more, or there is more to read."""

    number: int
    is_exact: bool


class _Key(NamedTuple):
    created_at: datetime
    id: str
    app: str
    provider: str
    status: str

    @property
    def position(self) -> Position:
        return self.created_at, self.id


_COLUMNS: Final = tuple(getattr(_T, name) for name in _Key._fields)


def find_page(search: ConnectionSearch, *, after: Position | None, limit: int) -> FoundConnections:
    """Return up to `limit` connections that match, authentic or not, newest first."""
    matching: list[_Key] = []
    end = None
    for keys, next_one in _walk(search, after):
        matching += filter(search.matches, keys)
        is_full = len(matching) > limit
        end = matching[limit - 1].position if is_full else next_one
        if is_full:
            break
    return FoundConnections(_fetch([key.id for key in matching[:limit]]), end)


def count_matching(search: ConnectionSearch) -> Count:
    """Count the connections that match, to `MAX_COUNT`."""
    counts = [_count(search, source) for source in _list_sources(search)]
    number = sum(found for _, found in counts)
    is_exact = number <= MAX_COUNT and all(read < _MAX_COUNT_READ for read, _ in counts)
    return Count(min(number, MAX_COUNT), is_exact)


def _count(search: ConnectionSearch, source: peewee.Expression | None) -> tuple[int, int]:
    """Return how many connections of a source were read, and how many of them match."""
    read = _T.select(*_COLUMNS).limit(_MAX_COUNT_READ)
    some = (read if source is None else read.where(source)).alias("some")
    filters = (
        (some.c.app, search.app and [search.app]),
        (some.c.status, search.status and [search.status]),
        (some.c.provider, search.providers),
    )
    remaining = [column.in_(list(wanted)) for column, wanted in filters if wanted is not None]
    matches = peewee.Case(None, [(reduce(and_, remaining), 1)], 0) if remaining else 1
    columns = peewee.fn.COUNT(some.c.id), peewee.fn.SUM(matches)
    number, matching = peewee.Select([some], columns).bind(database).tuples().execute()[0]
    return int(number), int(matching or 0)


def _walk(
    search: ConnectionSearch, after: Position | None
) -> Iterator[tuple[list[_Key], Position | None]]:
    """Yield what the index has, in chunks, and where each ends; None behind the last one."""
    sources = _list_sources(search)
    for _ in range(_MAX_READ // _CHUNK):
        keys = _read(sources, after, _CHUNK)
        after = keys[-1].position if len(keys) == _CHUNK else None
        yield keys, after
        if after is None:
            return


def _list_sources(search: ConnectionSearch) -> list[peewee.Expression | None]:
    """Return conditions, each answered by one index; all that matches has exactly one of them."""
    if search.text is not None:
        is_other = _T.subject != search.text
        return [_T.subject == search.text, has_email(search.text) & is_other]
    if search.status not in (None, ConnectionStatus.ACTIVE):
        return [_T.status == search.status]
    if search.providers is not None:
        return [_T.provider == name for name in search.providers]
    if search.app is not None:
        return [_T.app == search.app]
    # Nearly all connections are active, so this says least.
    return [None if search.status is None else _T.status == search.status]


def _read(
    sources: Sequence[peewee.Expression | None], after: Position | None, limit: int
) -> list[_Key]:
    """Return the newest connections of all sources together."""
    found = [_select(source, after, limit) for source in sources]
    merged = heapq.merge(*found, key=lambda key: key.position, reverse=True)
    return list(islice(merged, limit))


def _select(source: peewee.Expression | None, after: Position | None, limit: int) -> list[_Key]:
    query = _T.select(*_COLUMNS).order_by(_T.created_at.desc(), _T.id.desc()).limit(limit)
    if source is not None:
        query = query.where(source)
    if after is not None:
        at, last_id = after
        # The second condition implies the first, which is where the index is entered.
        query = query.where(_T.created_at <= at, (_T.created_at < at) | (_T.id < last_id))
    return list(map(_Key._make, query.tuples().iterator()))


def _fetch(ids: Sequence[str]) -> list[TAB_CONNECTIONS]:
    """Return the connections of ids, in their order, without those that are gone since."""
    rows = {row.id: row for row in _T.select().where(_T.id.in_(ids))} if ids else {}
    return [rows[name] for name in ids if name in rows]
