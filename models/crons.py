"""Cron schedule: one row a cron; a compare-and-set gives each tick to one scheduler."""

from __future__ import annotations

from datetime import datetime, timedelta

import peewee

from models.db.database import Table
from models.db.fields import UTCDateTimeField


class TAB_CRONS(Table):
    """When a cron is next due."""

    name = peewee.CharField(max_length=64, primary_key=True)
    next_at = UTCDateTimeField()
    #: When it was emitted last; None where a release before this column did.
    last_at = UTCDateTimeField(null=True)

    class Meta:
        """Names the table."""

        table_name = "crons"


def ensure_cron(name: str, now: datetime) -> None:
    """Add a cron that is due now, unless it is there."""
    TAB_CRONS.insert(name=name, next_at=now).on_conflict_ignore().execute()


def list_next_ticks() -> dict[str, datetime]:
    """Return when each cron is next due, by its name."""
    return {row.name: row.next_at for row in TAB_CRONS.select()}


def list_ticks() -> dict[str, TAB_CRONS]:
    """Return each cron by its name, with its last and its next tick."""
    return {row.name: row for row in TAB_CRONS.select()}


def return_tick(name: str, now: datetime) -> None:
    """Make a cron due again whose claimed tick could not be emitted."""
    TAB_CRONS.update(next_at=now).where(TAB_CRONS.name == name).execute()


def claim_tick(name: str, interval: timedelta, now: datetime) -> bool:
    """Claim the due tick and set the next one; False if none is due or it was claimed before.

    One tick makes up for all that were missed while no scheduler ran.
    """
    return bool(
        TAB_CRONS.update(next_at=now + interval, last_at=now)
        .where(TAB_CRONS.name == name, TAB_CRONS.next_at <= now)
        .execute()
    )


def claim_stalled_tick(name: str, interval: timedelta, now: datetime, seen: datetime) -> bool:
    """Claim a tick that is not due and stands still at `seen`; False if it has moved meanwhile."""
    return bool(
        TAB_CRONS.update(next_at=now + interval, last_at=now)
        .where(TAB_CRONS.name == name, TAB_CRONS.next_at == seen)
        .execute()
    )
