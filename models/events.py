"""Audit trail and transactional outbox: one row for each change, delivered to the webhook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypedDict, Unpack

import peewee

from models.db.database import Table
from models.db.fields import JSONField, UTCDateTimeField
from models.db.statements import PreparedInsert, PreparedStatement
from models.sealing.row_macs import Authenticated, MacField

#: How many due events are read to find one that no other process has claimed.
_CLAIM_CANDIDATES: Final = 10


class EventFilters(TypedDict, total=False):
    """The columns that a list of events may be limited by; None is any value."""

    app: str | None
    kind: str | None
    provider: str | None
    connection_id: str | None
    key_id: str | None
    reference: str | None


class TAB_EVENTS(Authenticated, Table):
    """What happened, to which connection or provider, by which API key; never a secret.

    `deliver_at` is the time of the next delivery; null once it was delivered, or without a webhook.
    """

    id = peewee.BigAutoField()
    app = peewee.CharField(max_length=32)
    kind = peewee.CharField(max_length=64)
    key_id = peewee.CharField(max_length=32, null=True)
    provider = peewee.CharField(max_length=64, null=True)
    connection_id = peewee.CharField(max_length=36, null=True, index=True)
    subject = peewee.CharField(max_length=255, null=True)
    #: Of a sign-in that failed: what its user was shown.
    reference = peewee.CharField(max_length=10, null=True, index=True)
    detail = JSONField(null=True)
    created_at = UTCDateTimeField(index=True)
    deliver_at = UTCDateTimeField(null=True, index=True)
    attempts = peewee.IntegerField(default=0)
    #: Of an event that is to be delivered: our signature of a delivery must not vouch for others'.
    mac = MacField(
        *("app", "kind", "key_id", "provider", "connection_id", "subject", "detail", "created_at"),
        "reference",
    )

    class Meta:
        """Names the table."""

        table_name = "events"
        indexes = ((("kind", "id"), False),)

    @classmethod
    def build_row(
        cls,
        kind: str,
        *,
        app: str,
        key_id: str | None,
        provider: str | None,
        connection_id: str | None,
        subject: str | None,
        reference: str | None = None,
        detail: dict[str, Any] | None,
        is_delivered: bool,
        now: datetime,
    ) -> dict[str, Any]:
        """Return the columns of an event, for `insert_rows`."""
        row = {
            "app": app,
            "kind": kind,
            "key_id": key_id,
            "provider": provider,
            "connection_id": connection_id,
            "subject": subject,
            "reference": reference,
            "detail": detail,
            "created_at": now,
        }
        mac = cls.mac.sign(row) if is_delivered else None
        return {**row, "deliver_at": now if is_delivered else None, "attempts": 0, "mac": mac}

    @classmethod
    def insert_rows(cls, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert events, in one transaction with the changes that they report."""
        for statement, row in cls.list_inserts(rows):
            statement.execute(*row)

    @classmethod
    def list_inserts(
        cls, rows: Iterable[Mapping[str, Any]]
    ) -> Iterator[tuple[PreparedStatement, list[Any]]]:
        """Yield for each event the statement that inserts it, and what it is executed with."""
        for row in rows:
            yield _INSERT, [row[field.name] for field in EVENT_FIELDS]

    @classmethod
    def insert_many_rows(cls, rows: Iterable[Mapping[str, Any]]) -> None:
        """Insert hundreds of events, in one transaction with the changes that they report."""
        _INSERT.execute_many(row for _, row in cls.list_inserts(rows))

    @classmethod
    def list_page(
        cls,
        *,
        since: datetime | None = None,
        before: int | None = None,
        limit: int,
        **wanted: Unpack[EventFilters],
    ) -> list[TAB_EVENTS]:
        """Return up to `limit` events, newest first, with ids below `before`."""
        query = cls.select().order_by(cls.id.desc()).limit(limit)
        for name, value in wanted.items():
            if value is not None:
                query = query.where(getattr(cls, name) == value)
        if since is not None:
            query = query.where(cls.created_at >= since)
        if before is not None:
            query = query.where(cls.id < before)
        return list(query)

    @classmethod
    def list_due_apps(cls, now: datetime) -> list[str]:
        """Return the apps that have events to be delivered now."""
        query = cls.select(cls.app).where(cls.deliver_at <= now).distinct()
        return sorted(row.app for row in query)

    @classmethod
    def cancel_deliveries(cls, app: str) -> None:
        """Deliver no event of an app that has happened so far."""
        cls.update(deliver_at=None).where(cls.app == app, cls.deliver_at.is_null(False)).execute()

    @classmethod
    def claim_delivery(cls, app: str, now: datetime, again_at: datetime) -> TAB_EVENTS | None:
        """Claim the event of an app that has been due for longest, if there is one.

        It is due again at `again_at`, and no other process claims it before. An event that another
        writer has made or changed is not delivered.
        """
        is_due = (cls.app == app) & (cls.deliver_at <= now)
        due = cls.select().where(is_due).order_by(cls.deliver_at, cls.id)
        # Other processes claim the first ones at the same time.
        while found := list(due.limit(_CLAIM_CANDIDATES)):
            for row in found:
                if not row.is_authentic:
                    row.confirm_delivery()
                elif row._claim(again_at):
                    return row
        return None

    def _claim(self, again_at: datetime) -> bool:
        table = type(self)
        is_claimed = (
            table.update(deliver_at=again_at, attempts=table.attempts + 1)
            .where(table.id == self.id, table.deliver_at == self.deliver_at)
            .execute()
        )
        if is_claimed:
            self.deliver_at, self.attempts = again_at, self.attempts + 1
        return bool(is_claimed)

    def confirm_delivery(self) -> None:
        """Record that the event was delivered, or that delivery was given up."""
        table = type(self)
        table.update(deliver_at=None, mac=None).where(table.id == self.id).execute()

    def deliver_anew(self, now: datetime) -> None:
        """Make the delivery of an event that is ours due again, as if it had just happened."""
        table = type(self)
        changes = {"deliver_at": now, "attempts": 0, "mac": table.mac.sign(self.__data__)}
        table.update(changes).where(table.id == self.id).execute()

    def postpone_delivery(self, deliver_at: datetime) -> None:
        """Set the time of the next delivery, unless another process has claimed the event since."""
        table = type(self)
        table.update(deliver_at=deliver_at).where(
            table.id == self.id, table.deliver_at == self.deliver_at
        ).execute()

    @classmethod
    def count_undelivered(cls) -> int:
        """Return how many events remain to be delivered."""
        return int(cls.select().where(cls.deliver_at.is_null(False)).count())

    @classmethod
    def count_undelivered_by_app(cls) -> list[tuple[str, int, datetime]]:
        """Return for each app how many events remain to be delivered, and since when."""
        counted = cls.select(cls.app, peewee.fn.COUNT(cls.id), peewee.fn.MIN(cls.created_at))
        waiting = counted.where(cls.deliver_at.is_null(False)).group_by(cls.app).order_by(cls.app)
        return [(row[0], row[1], row[2]) for row in waiting.tuples().iterator()]

    @classmethod
    def count_kinds(cls, kinds: Sequence[str], since: datetime, before: datetime) -> dict[str, int]:
        """Return how many events of some kinds happened in a time, by their kind."""
        counted = cls.select(cls.kind, peewee.fn.COUNT(cls.id)).where(
            cls.created_at >= since, cls.created_at < before, cls.kind.in_(kinds)
        )
        return dict(counted.group_by(cls.kind).tuples().iterator())


#: The columns of an event but for its id, which the database assigns.
EVENT_FIELDS: Final = tuple(it for it in TAB_EVENTS._meta.sorted_fields if it.name != "id")
_INSERT: Final = PreparedInsert(*EVENT_FIELDS)
