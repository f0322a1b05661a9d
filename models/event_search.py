"""Search of events: keyset pages, newest first, that read a bounded number of rows.

One filter is answered by its index; the others are compared with what that yields. So a page may
end before it is full, and the next one goes on from there.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from models.events import TAB_EVENTS, EventFilters

_MAX_READ: Final = 5_000
_CHUNK: Final = 1_000
#: The filters that an index answers in the order of ids, the most telling first.
_INDEXED: Final = ("reference", "connection_id", "kind")
_T: Final = TAB_EVENTS


class FoundEvents(NamedTuple):
    """A page, newest first; the next one begins below `end`, if there is one."""

    rows: list[TAB_EVENTS]
    end: int | None


def find_events(filters: EventFilters, *, before: int | None, limit: int) -> FoundEvents:
    """Return up to `limit` events that match, with ids below `before`."""
    wanted = {name: value for name, value in filters.items() if value is not None}
    source = next((name for name in _INDEXED if name in wanted), None)
    matching: list[int] = []
    for _ in range(_MAX_READ // _CHUNK):
        keys = _read(wanted, source, before)
        matching += [number for number, *values in keys if values == _list_values(wanted)]
        before = keys[-1][0] if len(keys) == _CHUNK else None
        if len(matching) > limit:
            before = matching[limit - 1]
            break
        if before is None:
            break
    return FoundEvents(_fetch(matching[:limit]), before)


def _list_values(wanted: dict[str, object]) -> list[object]:
    return [wanted[name] for name in sorted(wanted)]


def _read(
    wanted: dict[str, object], source: str | None, before: int | None
) -> list[tuple[int, ...]]:
    columns = (getattr(_T, name) for name in sorted(wanted))
    query = _T.select(_T.id, *columns).order_by(_T.id.desc()).limit(_CHUNK)
    if source is not None:
        query = query.where(getattr(_T, source) == wanted[source])
    if before is not None:
        query = query.where(_T.id < before)
    return list(query.tuples().iterator())


def _fetch(ids: list[int]) -> list[TAB_EVENTS]:
    rows = {row.id: row for row in _T.select().where(_T.id.in_(ids))} if ids else {}
    return [rows[number] for number in ids if number in rows]
