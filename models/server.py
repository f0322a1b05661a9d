"""Boot generation: counts the starts of the service, so that a late shutdown stops no newer one."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import peewee

from models.db.database import Table, hold_connection, transaction
from models.db.fields import UTCDateTimeField

_ROW_ID: Final = 1


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


def current_generation() -> int:
    """Return the number of the latest boot, 0 before the first."""
    row = TAB_SERVER.get_or_none(TAB_SERVER.id == _ROW_ID)
    return row.generation if row else 0


def is_stopping(generation: int) -> bool:
    """Tell whether this generation, or a later one, was requested to stop."""
    row = TAB_SERVER.get_or_none(TAB_SERVER.id == _ROW_ID)
    return bool(row and generation <= row.stopped_generation)


def is_latest_stopping() -> bool:
    """Tell whether the latest generation was requested to stop."""
    row = TAB_SERVER.get_or_none(TAB_SERVER.id == _ROW_ID)
    return bool(row and row.generation <= row.stopped_generation)


def request_stop(generation: int) -> bool:
    """Request the processes of `generation` to stop; False if it is not the running one."""
    return bool(
        TAB_SERVER.update(stopped_generation=generation)
        .where(TAB_SERVER.generation == generation, TAB_SERVER.stopped_generation < generation)
        .execute()
    )
