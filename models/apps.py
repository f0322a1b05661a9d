"""App: one of those that share the service, with what it may use and ask for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import peewee

from models.db.database import Table
from models.db.fields import JSONField, UTCDateTimeField
from models.db.statements import find_by_key
from models.sealing.row_macs import Authenticated, MacField


class TAB_APPS(Authenticated, Table):
    """One app.

    `settings` holds what the operator has set, by the names of the HTTP contract; what is left out
    has no bound of the app's own. Queue keys of a generation before `queue_generation` are revoked.
    """

    id = peewee.CharField(max_length=32, primary_key=True)
    name = peewee.CharField(max_length=255)
    settings = JSONField()
    queue_generation = peewee.IntegerField(default=1)
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()
    mac = MacField("name", "settings", "queue_generation", "created_at", "updated_at")

    class Meta:
        """Names the table."""

        table_name = "apps"

    @classmethod
    def find(cls, app_id: str) -> TAB_APPS | None:
        """Return the app of that id, authentic or not."""
        return find_by_key(cls, app_id)

    @classmethod
    def list_all(cls) -> list[TAB_APPS]:
        """Return all apps in the order of their ids."""
        return cls.keep_authentic(cls.select().order_by(cls.id))

    @classmethod
    def add(cls, app_id: str, name: str, settings: Mapping[str, Any], now: datetime) -> bool:
        """Store a new app; False if there is one of that id.

        The queue keys of an earlier app of that id stay revoked.
        """
        rows = (
            cls.insert(
                id=app_id,
                name=name,
                settings=dict(settings),
                queue_generation=TAB_RETIRED_QUEUE_KEYS.next_generation(app_id),
                created_at=now,
                updated_at=now,
            )
            .on_conflict_ignore()
            .as_rowcount()
            .execute()
        )
        return bool(rows)

    def change(self, name: str, settings: Mapping[str, Any], now: datetime) -> None:
        """Replace an app's name and settings."""
        table = type(self)
        changes = self.sign_changes(name=name, settings=dict(settings), updated_at=now)
        table.update(changes).where(table.id == self.id).execute()

    def revoke_queue_key(self, now: datetime) -> None:
        """Raise the generation of an app's queue key, which revokes all before it."""
        table = type(self)
        changes = self.sign_changes(queue_generation=self.queue_generation + 1, updated_at=now)
        table.update(changes).where(table.id == self.id).execute()

    @classmethod
    def erase(cls, app_id: str) -> bool:
        """Delete an app, which revokes its queue key; False if there was none."""
        row = cls.find(app_id)
        if row is None:
            return False
        TAB_RETIRED_QUEUE_KEYS.put(app_id, row.queue_generation + 1)
        return bool(cls.delete().where(cls.id == app_id).execute())


class TAB_RETIRED_QUEUE_KEYS(Authenticated, Table):
    """A deleted app, with the first generation of queue keys that one of its id may have again."""

    app = peewee.CharField(max_length=32, primary_key=True)
    queue_generation = peewee.IntegerField()
    mac = MacField("queue_generation")

    class Meta:
        """Names the table."""

        table_name = "retired_queue_keys"

    @classmethod
    def next_generation(cls, app_id: str) -> int:
        """Return the generation that the queue key of a new app begins with."""
        row: TAB_RETIRED_QUEUE_KEYS | None = cls.get_or_none(cls.app == app_id)
        return 1 if row is None else row.queue_generation

    @classmethod
    def put(cls, app_id: str, queue_generation: int) -> None:
        """Store the generation for a deleted app in place of an earlier one."""
        cls.delete().where(cls.app == app_id).execute()
        cls.insert(app=app_id, queue_generation=queue_generation).execute()

    @classmethod
    def list_generations(cls) -> dict[str, int]:
        """Return the generations by app."""
        return {row.app: row.queue_generation for row in cls.keep_authentic(cls.select())}
