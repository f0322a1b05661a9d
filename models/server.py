"""Boot generation: counts the starts of the service, so that a late shutdown stops no newer one.

A shutdown stops the whole service: every process of its generation or an older one. A `make run`
that gets a signal stops its own processes alone, by its row of `boots`: others on this database,
on another machine or under another process manager, go on.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import peewee

from models.db.database import Table, hold_connection, transaction
from models.db.fields import UTCDateTimeField

_ROW_ID: Final = 1
#: Rows of boots so much older are erased; no process of theirs is left.
_KEPT_BOOTS: Final = 100


class TAB_SERVER(Table):
    """One row: each boot counts `generation` up; a shutdown lifts `stopped_generation` to it.

    A shutdown delivered again after the next boot names an older generation and does nothing.
    """

    id = peewee.IntegerField(primary_key=True)
    generation = peewee.IntegerField()
    stopped_generation = peewee.IntegerField()
    booted_at = UTCDateTimeField()

    class Meta:
        """Names the table."""

        table_name = "server"


class TAB_BOOTS(Table):
    """A start of `make run`: `ready_at` and `stopped_at` are None until it is, or was, so."""

    generation = peewee.IntegerField(primary_key=True)
    ready_at = UTCDateTimeField(null=True)
    stopped_at = UTCDateTimeField(null=True)

    class Meta:
        """Names the table."""

        table_name = "boots"


def begin_boot(now: datetime) -> int:
    """Start a new generation and return its number."""
    # Outside the transaction: on MariaDB it leaves a lock that would deadlock two boots.
    with hold_connection():
        TAB_SERVER.insert(
            id=_ROW_ID, generation=0, stopped_generation=0, booted_at=now
        ).on_conflict_ignore().execute()
    with transaction():
        TAB_SERVER.update(generation=TAB_SERVER.generation + 1, booted_at=now).execute()
        return current_generation()


def begin_supervised_boot(now: datetime) -> int:
    """Start a new generation whose processes have a supervisor, and return its number."""
    generation = begin_boot(now)
    with transaction():
        TAB_BOOTS.delete().where(TAB_BOOTS.generation < generation - _KEPT_BOOTS).execute()
        TAB_BOOTS.insert(generation=generation).execute()
    return generation


def join_boot(now: datetime) -> int:
    """Return the latest generation, or begin the first one where there was none."""
    return current_generation() or begin_boot(now)


def current_generation() -> int:
    """Return the number of the latest boot, 0 before the first."""
    row = TAB_SERVER.get_or_none(TAB_SERVER.id == _ROW_ID)
    return row.generation if row else 0


def is_stopping(generation: int) -> bool:
    """Tell whether the service was requested to stop in this generation, or in a later one."""
    row = TAB_SERVER.get_or_none(TAB_SERVER.id == _ROW_ID)
    return bool(row and 0 < row.stopped_generation >= generation)


def is_latest_stopping() -> bool:
    """Tell whether the service was requested to stop, and was not begun anew since."""
    row = TAB_SERVER.get_or_none(TAB_SERVER.id == _ROW_ID)
    return bool(row and 0 < row.stopped_generation >= row.generation)


def is_boot_stopping(generation: int) -> bool:
    """Tell whether the processes of this supervised boot stop, with the service or alone."""
    row = TAB_BOOTS.get_or_none(TAB_BOOTS.generation == generation)
    return bool(row and row.stopped_at is not None) or is_stopping(generation)


def is_boot_ready(generation: int) -> bool:
    """Tell whether the supervisor has found all processes of this boot ready."""
    row = TAB_BOOTS.get_or_none(TAB_BOOTS.generation == generation)
    return row is None or row.ready_at is not None


def record_ready(generation: int, now: datetime) -> None:
    """Record that every process of a supervised boot is ready."""
    TAB_BOOTS.update(ready_at=now).where(TAB_BOOTS.generation == generation).execute()


def record_stop(generation: int, now: datetime) -> None:
    """Record that the processes of this supervised boot stop; no other process does."""
    TAB_BOOTS.update(stopped_at=now).where(TAB_BOOTS.generation == generation).execute()


def request_stop(generation: int) -> bool:
    """Request the processes of `generation` to stop; False if it is not the running one."""
    return bool(
        TAB_SERVER.update(stopped_generation=generation)
        .where(TAB_SERVER.generation == generation, TAB_SERVER.stopped_generation < generation)
        .execute()
    )
