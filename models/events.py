"""The audit trail, which is also the outbox of the webhook: one row a change of state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import peewee

from models.db.database import Table
from models.db.fields import JSONField, UTCDateTimeField
from models.db.statements import PreparedInsert

#: How many events are looked at for one that nobody else has taken.
_CANDIDATES: Final = 10
_ERASED_AT_ONCE: Final = 1000


class TAB_EVENTS(Table):
    """What happened, to which connection or provider, at whose request; never a secret.

    `deliver_at` is when the webhook is told (again); null once it was, or where there is none.
    """

    id = peewee.BigAutoField()
    kind = peewee.CharField(max_length=64, index=True)
    key_id = peewee.CharField(max_length=32, null=True)
    provider = peewee.CharField(max_length=64, null=True)
    connection_id = peewee.CharField(max_length=36, null=True, index=True)
    subject = peewee.CharField(max_length=255, null=True)
    detail = JSONField(null=True)
    created_at = UTCDateTimeField(index=True)
    deliver_at = UTCDateTimeField(null=True, index=True)
    attempts = peewee.IntegerField(default=0)

    class Meta:
        """Names the table."""

        table_name = "events"

    @classmethod
    def build_row(
        cls,
        kind: str,
        *,
        key_id: str | None,
        provider: str | None,
        connection_id: str | None,
        subject: str | None,
        detail: dict[str, Any] | None,
        is_delivered: bool,
        now: datetime,
    ) -> dict[str, Any]:
        """Return an event as `insert_rows` takes it."""
        return {
            "kind": kind,
            "key_id": key_id,
            "provider": provider,
            "connection_id": connection_id,
            "subject": subject,
            "detail": detail,
            "created_at": now,
            "deliver_at": now if is_delivered else None,
            "attempts": 0,
        }

    @classmethod
    def insert_rows(cls, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write events; in a transaction with the changes that they tell of."""
        for row in rows:
            _INSERT.execute(*(row[field.name] for field in EVENT_FIELDS))

    @classmethod
    def list_page(
        cls,
        *,
        kind: str | None,
        provider: str | None,
        connection_id: str | None,
        key_id: str | None,
        since: datetime | None,
        before: int | None,
        limit: int,
    ) -> list[TAB_EVENTS]:
        """Return up to `limit` events, newest first, of those that came before that numbered so."""
        query = cls.select().order_by(cls.id.desc()).limit(limit)
        wanted = (
            (cls.kind, kind),
            (cls.provider, provider),
            (cls.connection_id, connection_id),
            (cls.key_id, key_id),
        )
        for column, value in wanted:
            if value is not None:
                query = query.where(column == value)
        if since is not None:
            query = query.where(cls.created_at >= since)
        if before is not None:
            query = query.where(cls.id < before)
        return list(query)

    @classmethod
    def claim_delivery(cls, now: datetime, again_at: datetime) -> TAB_EVENTS | None:
        """Take the event that has waited longest for the webhook, if one is due.

        Nobody else takes it until `again_at`; unless its delivery is confirmed it is due then.
        """
        due = cls.select().where(cls.deliver_at <= now).order_by(cls.deliver_at, cls.id)
        # Others take the first ones at the same time, so there is more than one to try.
        while found := list(due.limit(_CANDIDATES)):
            for row in found:
                if row._take(again_at):
                    return row
        return None

    def _take(self, again_at: datetime) -> bool:
        table = type(self)
        is_taken = (
            table.update(deliver_at=again_at, attempts=table.attempts + 1)
            .where(table.id == self.id, table.deliver_at == self.deliver_at)
            .execute()
        )
        if is_taken:
            self.deliver_at, self.attempts = again_at, self.attempts + 1
        return bool(is_taken)

    def confirm_delivery(self) -> None:
        """Record that the webhook has taken this event, or that it was tried long enough."""
        table = type(self)
        table.update(deliver_at=None).where(table.id == self.id).execute()

    def postpone_delivery(self, deliver_at: datetime) -> None:
        """Record when the webhook is told again, unless another has taken the event since."""
        table = type(self)
        table.update(deliver_at=deliver_at).where(
            table.id == self.id, table.deliver_at == self.deliver_at
        ).execute()

    @classmethod
    def count_undelivered(cls) -> int:
        """Return how many events the webhook has yet to be told."""
        return int(cls.select().where(cls.deliver_at.is_null(False)).count())

    @classmethod
    def erase_before(cls, before: datetime, *, undelivered: bool, kind: str | None = None) -> int:
        """Delete the events that are older, those to be delivered only where so asked.

        Of a busy service they are hundreds of thousands an hour. So that nobody has to wait for
        them, some are deleted at a time, each in a transaction of its own.

        Returns:
            How many rows that were.
        """
        conditions = [cls.created_at < before]
        if not undelivered:
            conditions.append(cls.deliver_at.is_null())
        if kind is not None:
            conditions.append(cls.kind == kind)
        first = cls.select(cls.id).where(*conditions).order_by(cls.id).first()
        older = cls.select(cls.id).where(cls.created_at < before)
        last = older.order_by(cls.created_at.desc()).first()
        if first is None or last is None:
            return 0
        erased = 0
        # They are numbered in the order of their times, or so nearly that the next time finds them.
        for start in range(first.id, last.id + 1, _ERASED_AT_ONCE):
            some = cls.id.between(start, start + _ERASED_AT_ONCE - 1)
            erased += int(cls.delete().where(some, *conditions).execute())
        return erased


#: What an event is made of; the database numbers it.
EVENT_FIELDS: Final = tuple(it for it in TAB_EVENTS._meta.sorted_fields if it.name != "id")
_INSERT: Final = PreparedInsert(*EVENT_FIELDS)
