"""App: one of those that share the service, with what it may use and ask for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import peewee

from models.db.database import Table
from models.db.fields import JSONField, UTCDateTimeField


class TAB_APPS(Table):
    """One app.

    `settings` holds what the operator has set, by the names of the HTTP contract; what is left out
    has no bound of the app's own. `queue_generation` is for queue keys of the app's own; today one
    queue key serves all.
    """

    id = peewee.CharField(max_length=32, primary_key=True)
    name = peewee.CharField(max_length=255)
    settings = JSONField()
    queue_generation = peewee.IntegerField(default=1)
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()

    class Meta:
        """Names the table."""

        table_name = "apps"

    @classmethod
    def find(cls, app_id: str) -> TAB_APPS | None:
        """Return the app of that id."""
        row: TAB_APPS | None = cls.get_or_none(cls.id == app_id)
        return row

    @classmethod
    def list_all(cls) -> list[TAB_APPS]:
        """Return all apps in the order of their ids."""
        return list(cls.select().order_by(cls.id))

    @classmethod
    def add(cls, app_id: str, name: str, settings: Mapping[str, Any], now: datetime) -> bool:
        """Store a new app; False if there is one of that id."""
        rows = (
            cls.insert(
                id=app_id, name=name, settings=dict(settings), created_at=now, updated_at=now
            )
            .on_conflict_ignore()
            .as_rowcount()
            .execute()
        )
        return bool(rows)

    @classmethod
    def change(cls, app_id: str, name: str, settings: Mapping[str, Any], now: datetime) -> None:
        """Replace an app's name and settings."""
        cls.update(name=name, settings=dict(settings), updated_at=now).where(
            cls.id == app_id
        ).execute()

    @classmethod
    def erase(cls, app_id: str) -> bool:
        """Delete an app; False if there was none."""
        return bool(cls.delete().where(cls.id == app_id).execute())
