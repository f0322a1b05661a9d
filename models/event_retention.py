"""Retention of events: older ones are erased in batches, for which no other writer waits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import peewee

from models.events import TAB_EVENTS

_ERASE_BATCH: Final = 1000


def erase_events(
    before: datetime,
    *,
    undelivered: bool,
    kind: str | None = None,
    batch: int = _ERASE_BATCH,
) -> int:
    """Delete older events, and with `undelivered` also those that remain to be delivered.

    A busy service has hundreds of thousands an hour. They are deleted `batch` ids at a time,
    each batch in a transaction of its own, so that other writers do not wait.

    Returns:
        How many rows that were.
    """
    conditions = [TAB_EVENTS.created_at < before]
    if not undelivered:
        conditions.append(TAB_EVENTS.deliver_at.is_null())
    if kind is not None:
        conditions.append(TAB_EVENTS.kind == kind)
    erased = 0
    for start in _list_batches(before, conditions, batch):
        some = TAB_EVENTS.id.between(start, start + batch - 1)
        erased += int(TAB_EVENTS.delete().where(some, *conditions).execute())
    return erased


def _list_batches(before: datetime, conditions: Sequence[peewee.Expression], batch: int) -> range:
    """Return the first id of each batch that may hold events to be erased."""
    first = TAB_EVENTS.select(TAB_EVENTS.id).where(*conditions).order_by(TAB_EVENTS.id).first()
    older = TAB_EVENTS.select(TAB_EVENTS.id).where(TAB_EVENTS.created_at < before)
    last = older.order_by(TAB_EVENTS.created_at.desc()).first()
    if first is None or last is None:
        return range(0)
    # Ids follow the order of times, or so nearly that the next run finds the rest.
    return range(first.id, last.id + 1, batch)
