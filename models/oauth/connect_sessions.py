"""Connect session: the right of one browser to a page where a subject's accounts are connected."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NotRequired, TypedDict, Unpack

import peewee

from catfeeder.sealing import Secret
from models.db.database import Table, transaction
from models.db.fields import JSONField, UTCDateTimeField
from models.sealing.row_macs import Authenticated, MacField

_ID_DIGITS: Final = 32
_MAX_CONNECTED: Final = 100


class ConnectSessionColumns(TypedDict):
    """The columns of a session that are stored as they are given."""

    app: str
    subject: str
    providers: Sequence[str] | None
    connection_id: NotRequired[str | None]
    return_to: str | None
    is_relayed: bool
    expires_at: datetime


class TAB_CONNECT_SESSIONS(Authenticated, Table):
    """One link, and the browser that has opened it.

    Only hashes of the link's token and of the browser's secret are stored: a stolen table opens no
    page. The id, which stands in the page's address, is a part of the token's hash.
    """

    id = peewee.CharField(max_length=32, primary_key=True)
    token_hash = peewee.CharField(max_length=64)
    app = peewee.CharField(max_length=32)
    subject = peewee.CharField(max_length=255)
    #: The names of the providers that are offered; NULL for all that the app may use.
    providers = JSONField(null=True)
    #: The one connection that it is about, where no subject says which.
    connection_id = peewee.CharField(max_length=36, null=True)
    return_to = peewee.TextField(null=True)
    is_relayed = peewee.BooleanField()
    #: NULL until a browser has opened the link.
    browser_hash = peewee.CharField(max_length=64, null=True)
    #: The ids of the connections that were made or renewed on the page.
    connected = JSONField(null=True)
    created_at = UTCDateTimeField()
    expires_at = UTCDateTimeField(index=True)
    mac = MacField(
        *("token_hash", "app", "subject", "providers", "connection_id", "return_to", "is_relayed"),
        *("browser_hash", "created_at", "expires_at"),
    )
    connected_mac = MacField("connected", is_optional=True)

    class Meta:
        """Names the table."""

        table_name = "connect_sessions"

    @classmethod
    def begin(cls, token: Secret, now: datetime, **columns: Unpack[ConnectSessionColumns]) -> None:
        """Record a link that no browser has opened yet."""
        digest = _hash(token)
        cls.create(id=digest[:_ID_DIGITS], token_hash=digest, created_at=now, **columns)

    @classmethod
    def find(cls, session_id: str) -> TAB_CONNECT_SESSIONS | None:
        """Return the session of an id, whether it goes on or not."""
        row: TAB_CONNECT_SESSIONS | None = cls.get_or_none(cls.id == session_id)
        return cls.authentic(row)

    @classmethod
    def find_by_token(cls, token: Secret) -> TAB_CONNECT_SESSIONS | None:
        """Return the session of a link, whether it goes on or not."""
        digest = _hash(token)
        row = cls.find(digest[:_ID_DIGITS])
        return row if row is not None and hmac.compare_digest(row.token_hash, digest) else None

    def claim(self, browser: Secret, expires_at: datetime) -> bool:
        """Bind the link to the browser with this secret; False if another was faster."""
        table = type(self)
        changes = self.sign_changes(browser_hash=_hash(browser), expires_at=expires_at)
        is_free = (table.id == self.id) & table.browser_hash.is_null()
        return bool(table.update(changes).where(is_free).execute())

    def accepts_browser(self, browser: Secret | None) -> bool:
        """Return whether this is the browser that has opened the link."""
        if self.browser_hash is None or browser is None:
            return False
        return hmac.compare_digest(self.browser_hash, _hash(browser))

    @classmethod
    def add_connected(cls, session_id: str, connection_id: str) -> None:
        """Record that a connection was made or renewed on the page."""
        with transaction():
            row = cls.find(session_id)
            if row is None:
                return
            earlier = [one for one in row.connected or () if one != connection_id]
            changes = row.sign_changes(connected=[*earlier, connection_id][-_MAX_CONNECTED:])
            cls.update(changes).where(cls.id == session_id).execute()

    @classmethod
    def erase_all(cls, app: str) -> None:
        """Delete every session of an app."""
        cls.delete().where(cls.app == app).execute()

    @classmethod
    def erase_expired(cls, now: datetime) -> int:
        """Delete the sessions that expired before a time, and return how many those were."""
        return int(cls.delete().where(cls.expires_at <= now).execute())


def name_session(token: Secret) -> str:
    """Return the id of the session of a link."""
    return _hash(token)[:_ID_DIGITS]


def _hash(secret: Secret) -> str:
    """Return the SHA-256 of a token or of a browser's secret, both of 256 random bits."""
    return hashlib.sha256(secret.reveal_bytes()).hexdigest()
