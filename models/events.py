"""The audit trail, which is also the outbox of the webhook: one row a change of state."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import peewee

from models.database import Table
from models.fields import JSONField, UTCDateTimeField


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
    def add(
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
    ) -> None:
        """Write an event; in a transaction with the change that it tells of."""
        cls.create(
            kind=kind,
            key_id=key_id,
            provider=provider,
            connection_id=connection_id,
            subject=subject,
            detail=detail,
            created_at=now,
            deliver_at=now if is_delivered else None,
        )

    @classmethod
    def page(
        cls,
        *,
        kind: str | None,
        provider: str | None,
        connection_id: str | None,
        key_id: str | None,
        after: int,
        limit: int,
    ) -> list[TAB_EVENTS]:
        """Return up to `limit` events, oldest first, behind the one numbered `after`."""
        query = cls.select().where(cls.id > after).order_by(cls.id).limit(limit)
        wanted = (
            (cls.kind, kind),
            (cls.provider, provider),
            (cls.connection_id, connection_id),
            (cls.key_id, key_id),
        )
        for column, value in wanted:
            if value is not None:
                query = query.where(column == value)
        return list(query)

    @classmethod
    def claim_deliveries(cls, now: datetime, again_at: datetime, limit: int) -> list[TAB_EVENTS]:
        """Take what is to be delivered; what is not confirmed by `again_at` is taken again then."""
        due = cls.select().where(cls.deliver_at <= now).order_by(cls.id).limit(limit)
        # Read to the end first: SQLite refuses to write while a query of ours is half read and
        # somebody else has written since.
        return [row for row in list(due) if row._take(again_at)]

    def _take(self, again_at: datetime) -> bool:
        table = type(self)
        return bool(
            table.update(deliver_at=again_at, attempts=table.attempts + 1)
            .where(table.id == self.id, table.deliver_at == self.deliver_at)
            .execute()
        )

    @classmethod
    def confirm_delivery(cls, event_id: int) -> None:
        """Record that the webhook has taken an event, or that it was tried long enough."""
        cls.update(deliver_at=None).where(cls.id == event_id).execute()

    @classmethod
    def postpone_delivery(cls, event_id: int, deliver_at: datetime) -> None:
        """Record when the webhook is told again."""
        cls.update(deliver_at=deliver_at).where(cls.id == event_id).execute()

    @classmethod
    def erase_before(cls, before: datetime) -> int:
        """Delete the events that are older and delivered; return how many rows that were."""
        query = cls.delete().where(cls.created_at < before, cls.deliver_at.is_null())
        return int(query.execute())
