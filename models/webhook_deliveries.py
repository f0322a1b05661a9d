"""Delivery of an event: how often it was tried, and what the receiver has answered last."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import peewee

from models.db.database import Table
from models.db.fields import UTCDateTimeField
from models.events import TAB_EVENTS
from models.sealing.row_macs import Authenticated, MacField

_ERASE_BATCH: Final = 1000


class DeliveryStatus(StrEnum):
    """The state of a delivery. The names are read by apps: never rename one."""

    DELIVERED = "delivered"
    WAITING = "waiting"
    GIVEN_UP = "given_up"


class TAB_WEBHOOK_DELIVERIES(Authenticated, Table):
    """The delivery of one event, from its first try on; without one there is no row.

    `answer_status` is the HTTP status, null where no answer came, and `answer` says why it failed.
    """

    event_id = peewee.BigIntegerField(primary_key=True)
    app = peewee.CharField(max_length=32)
    status = peewee.CharField(max_length=16)
    attempts = peewee.IntegerField()
    answer_status = peewee.IntegerField(null=True)
    answer = peewee.TextField(null=True)
    answered_at = UTCDateTimeField(index=True)
    event_digest = peewee.CharField(max_length=64)
    #: An event that was delivered has no MAC, so that no other writer has it delivered again; this
    #: one vouches for it when an operator does.
    mac = MacField("app", "event_digest")

    class Meta:
        """Names the table, and the orders of its lists."""

        table_name = "webhook_deliveries"
        indexes = ((("app", "event_id"), False), (("status", "event_id"), False))

    @classmethod
    def note(
        cls,
        event: TAB_EVENTS,
        status: DeliveryStatus,
        answer_status: int | None,
        answer: str | None,
        now: datetime,
    ) -> None:
        """Record a try to deliver an event, in the transaction that plans the next one."""
        changes = {
            "status": status.value,
            "answer_status": answer_status,
            "answer": answer,
            "answered_at": now,
        }
        is_row = cls.event_id == event.id
        if not cls.update(attempts=cls.attempts + 1, **changes).where(is_row).execute():
            digest = TAB_EVENTS.mac.compute_digest(event)
            cls.insert(
                event_id=event.id, app=event.app, attempts=1, event_digest=digest, **changes
            ).execute()

    @classmethod
    def _select_with_events(cls) -> Any:
        return cls.select(cls, TAB_EVENTS).join(
            TAB_EVENTS, on=(cls.event_id == TAB_EVENTS.id), attr="event"
        )

    @classmethod
    def list_page(
        cls, *, app: str | None, status: str | None, before: int | None, limit: int
    ) -> list[Any]:
        """Return up to `limit` deliveries with their events, those of the newest events first."""
        query = cls._select_with_events()
        if app is not None:
            query = query.where(cls.app == app)
        if status is not None:
            query = query.where(cls.status == status)
        if before is not None:
            query = query.where(cls.event_id < before)
        return list(query.order_by(cls.event_id.desc()).limit(limit))

    @classmethod
    def list_given_up(cls, app: str | None, limit: int) -> list[int]:
        """Return the ids of events that were given up, the oldest first."""
        query = cls.select(cls.event_id).where(cls.status == DeliveryStatus.GIVEN_UP)
        if app is not None:
            query = query.where(cls.app == app)
        return [row.event_id for row in query.order_by(cls.event_id).limit(limit)]

    @classmethod
    def list_resendable(cls, ids: Sequence[int], app: str | None) -> list[TAB_EVENTS]:
        """Return those of events that were tried before and are as this service wrote them."""
        query = cls._select_with_events().where(cls.event_id << list(ids))
        if app is not None:
            query = query.where(cls.app == app)
        rows: list[Any] = cls.keep_authentic(query.order_by(cls.event_id))
        return [row.event for row in rows if _is_as_it_was(row.event, row.event_digest)]

    @classmethod
    def resend(cls, events: Sequence[TAB_EVENTS], now: datetime) -> None:
        """Make deliveries due now, as often tried again as those of new events."""
        for event in events:
            event.deliver_anew(now)
        ids = [event.id for event in events]
        cls.update(status=DeliveryStatus.WAITING.value).where(cls.event_id << ids).execute()

    @classmethod
    def erase_before(cls, before: datetime) -> int:
        """Delete deliveries whose last answer is older, some at a time; return how many."""
        erased = 0
        while True:
            old = cls.select(cls.event_id).where(cls.answered_at < before).limit(_ERASE_BATCH)
            ids = [row.event_id for row in old]
            if not ids:
                return erased
            erased += int(cls.delete().where(cls.event_id << ids).execute())


def _is_as_it_was(event: TAB_EVENTS, digest: str) -> bool:
    return hmac.compare_digest(TAB_EVENTS.mac.compute_digest(event), digest)
