"""API key: its hash, scopes, rate limit and end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import peewee

from models.db.database import Table
from models.db.fields import JSONField, UTCDateTimeField
from models.sealing.row_macs import Authenticated, MacField


class TAB_API_KEYS(Authenticated, Table):
    """One key. Only its SHA-256 is stored: with 256 random bits it needs no slower hash."""

    id = peewee.CharField(max_length=32, primary_key=True)
    app = peewee.CharField(max_length=32)
    name = peewee.CharField(max_length=255)
    key_hash = peewee.CharField(max_length=64)
    scopes = JSONField()
    requests_per_minute = peewee.IntegerField()
    created_at = UTCDateTimeField()
    expires_at = UTCDateTimeField(null=True)
    revoked_at = UTCDateTimeField(null=True)
    last_used_at = UTCDateTimeField(null=True)
    mac = MacField(
        *("app", "name", "key_hash", "scopes", "requests_per_minute"),
        *("created_at", "expires_at", "revoked_at"),
    )

    class Meta:
        """Names the table."""

        table_name = "api_keys"

    @classmethod
    def add(
        cls,
        *,
        key_id: str,
        app: str,
        name: str,
        key_hash: str,
        scopes: Sequence[str],
        requests_per_minute: int,
        expires_at: datetime | None,
        now: datetime,
    ) -> TAB_API_KEYS:
        """Store a new key."""
        row: TAB_API_KEYS = cls.create(
            id=key_id,
            app=app,
            name=name,
            key_hash=key_hash,
            scopes=list(scopes),
            requests_per_minute=requests_per_minute,
            created_at=now,
            expires_at=expires_at,
        )
        return row

    @classmethod
    def find_valid(cls, key_id: str, now: datetime) -> TAB_API_KEYS | None:
        """Return the key of that id, unless it was revoked or has expired."""
        row: TAB_API_KEYS | None = cls.get_or_none(
            cls.id == key_id,
            cls.revoked_at.is_null(),
            cls.expires_at.is_null() | (cls.expires_at > now),
        )
        return cls.authentic(row)

    def note_use(self, now: datetime) -> None:
        """Record that the key is used."""
        table = type(self)
        table.update(last_used_at=now).where(table.id == self.id).execute()

    @classmethod
    def list_all(cls, app: str | None = None) -> list[TAB_API_KEYS]:
        """Return the keys of an app, or of all, oldest first, with revoked and expired ones."""
        query = cls.select().order_by(cls.created_at, cls.id)
        return cls.keep_authentic(query if app is None else query.where(cls.app == app))

    @classmethod
    def revoke(cls, key_id: str, now: datetime, app: str | None = None) -> bool:
        """Revoke a key, of `app` if one is given; False if it is no valid key."""
        row = cls.authentic(cls.get_or_none(cls.id == key_id, cls.revoked_at.is_null()))
        return row is not None and app in (None, row.app) and row._revoke(now)

    @classmethod
    def revoke_all(cls, app: str, now: datetime) -> None:
        """Revoke every key of an app."""
        for row in cls.keep_authentic(cls.select().where(cls.app == app, cls.revoked_at.is_null())):
            row._revoke(now)

    def _revoke(self, now: datetime) -> bool:
        table = type(self)
        changes = self.sign_changes(revoked_at=now)
        is_valid = (table.id == self.id) & table.revoked_at.is_null()
        return bool(table.update(changes).where(is_valid).execute())
