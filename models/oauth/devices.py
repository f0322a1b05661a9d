"""Device authorization (RFC 8628): its code, and when it is polled next under which lease."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

import peewee

from catfeeder.sealing import Secret
from models.db.database import Table, database, transaction
from models.db.fields import JSONField, SealedField, UTCDateTimeField
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.upserts import Owner
from models.sealing.row_macs import Authenticated, MacField


class DeviceStatus(StrEnum):
    """The progress of a device authorization; the refusals are by the names of RFC 8628."""

    PENDING = "pending"
    CONNECTED = "connected"
    ACCESS_DENIED = "access_denied"
    EXPIRED_TOKEN = "expired_token"
    FAILED = "failed"


class PollLease(NamedTuple):
    """The right to poll for one device authorization; each lease has a `version` of its own."""

    id: str
    version: int


class NewDevice(NamedTuple):
    """What a provider has issued to a device, and what it was asked for."""

    id: str
    owner: Owner
    scope: str
    variables: Mapping[str, str] | None
    device_code: Secret
    interval_seconds: int
    expires_at: datetime


class TAB_DEVICE_AUTHORIZATIONS(Authenticated, Table):
    """One device authorization; `id` is that of the connection that waits for its tokens.

    An account that was connected before keeps its connection, and `connection_id` leads to it.
    """

    sealed_owner = "this device authorization"
    sealed_remedy = "its user begins it again"

    id = peewee.CharField(max_length=36, primary_key=True)
    app = peewee.CharField(max_length=32)
    provider = peewee.CharField(max_length=64)
    subject = peewee.CharField(max_length=255)
    scope = peewee.TextField()
    variables = JSONField(null=True)
    device_code = SealedField(null=True)
    status = peewee.CharField(max_length=16)
    connection_id = peewee.CharField(max_length=36, null=True)
    #: At least so long between the end of one poll and the next (RFC 8628 section 3.5).
    interval_seconds = peewee.IntegerField()
    #: NULL once it has ended.
    next_poll_at = UTCDateTimeField(null=True, index=True)
    lease_until = UTCDateTimeField(null=True)
    version = peewee.IntegerField()
    created_at = UTCDateTimeField()
    expires_at = UTCDateTimeField(index=True)
    mac = MacField(
        *("app", "provider", "subject", "scope", "variables", "created_at", "expires_at"),
    )
    #: Goes with the code when it ends: one set back to pending has none.
    code_mac = MacField("device_code")
    connection_mac = MacField("connection_id", is_optional=True)

    class Meta:
        """Names the table."""

        table_name = "device_authorizations"

    @classmethod
    def begin(cls, new: NewDevice, profile: Mapping[str, Any], now: datetime) -> None:
        """Record what a provider issued, and the connection that waits for its tokens."""
        first_poll_at = min(now + timedelta(seconds=new.interval_seconds), new.expires_at)
        with transaction():
            cls.create(
                id=new.id,
                **new.owner._asdict(),
                scope=new.scope,
                variables=new.variables,
                device_code=cls.device_code.seal(new.id, new.device_code),
                status=DeviceStatus.PENDING,
                interval_seconds=new.interval_seconds,
                next_poll_at=first_poll_at,
                version=0,
                created_at=now,
                expires_at=new.expires_at,
            )
            _create_pending_connection(new, profile, now)

    @classmethod
    def find(cls, device_id: str) -> TAB_DEVICE_AUTHORIZATIONS | None:
        """Return the device authorization of that id, whatever its status."""
        row: TAB_DEVICE_AUTHORIZATIONS | None = cls.get_or_none(cls.id == device_id)
        return cls.authentic(row)

    @classmethod
    def find_connection(cls, device_id: str) -> TAB_CONNECTIONS | None:
        """Return the connection of an account that was connected before, and has got the grant."""
        row = cls.find(device_id)
        if row is None or row.connection_id is None:
            return None
        return TAB_CONNECTIONS.find(row.connection_id)

    def required_macs(self) -> list[MacField]:
        """Return the MACs that must hold: one that has ended has no code any more."""
        has_ended = self.status != DeviceStatus.PENDING
        return [mac for mac in self.mac_fields() if not (has_ended and mac.name == "code_mac")]

    # -- Polling

    @classmethod
    def claim_due(cls, now: datetime, lease_until: datetime, limit: int) -> list[PollLease]:
        """Lease up to `limit` polls that are due, the longest due first."""
        with transaction():
            due = (
                cls.select(cls.id, cls.version)
                .where(cls.next_poll_at <= now, cls._is_unleased(now))
                .order_by(cls.next_poll_at)
                .limit(limit)
            )
            if database.for_update:
                due = due.for_update(skip_locked=True)
            leases = [PollLease(row.id, row.version + 1) for row in due]
            if leases:
                ids = [lease.id for lease in leases]
                changes = {"lease_until": lease_until, "version": cls.version + 1}
                cls.update(**changes).where(cls.id.in_(ids)).execute()
        return leases

    @classmethod
    def extend(cls, lease: PollLease, lease_until: datetime) -> PollLease | None:
        """Exchange a lease for a longer one; None if another one took its place, or it has ended.

        A message that is delivered twice brings the same lease twice: the second is none any more.
        """
        longer = PollLease(lease.id, lease.version + 1)
        changes = {"lease_until": lease_until, "version": longer.version}
        changed = cls.update(**changes).where(*cls._holds(lease)).execute()
        return longer if changed else None

    @classmethod
    def plan_poll(cls, lease: PollLease, interval_seconds: int, next_poll_at: datetime) -> bool:
        """Give a lease back until the next poll; False if another one took its place."""
        changes = {"interval_seconds": interval_seconds, "next_poll_at": next_poll_at}
        changed = cls.update(**changes, lease_until=None).where(*cls._holds(lease)).execute()
        return bool(changed)

    # -- Ending

    def end(self, lease: PollLease, status: DeviceStatus, connection_id: str | None) -> bool:
        """End under a lease, and erase the code; False if another one took its place."""
        ended = {"device_code": None, "code_mac": None, "next_poll_at": None, "lease_until": None}
        result = self.sign_changes(connection_id=connection_id)
        changes = {**result, **ended, "status": status}
        return bool(type(self).update(changes).where(*self._holds(lease)).execute())

    @classmethod
    def erase(cls, device_id: str) -> None:
        """Delete the device authorization of a connection that is erased: it is polled no more."""
        cls.delete().where(cls.id == device_id).execute()

    @classmethod
    def erase_all(cls, app: str) -> None:
        """Delete every device authorization of an app."""
        cls.delete().where(cls.app == app).execute()

    @classmethod
    def erase_expired(cls, before: datetime) -> int:
        """Delete those whose code ran out `before`; return how many those were.

        A connection that never got a token goes too: nothing can bring it one.
        """
        has_expired = cls.expires_at < before
        with transaction():
            TAB_CONNECTIONS.erase_tokenless(cls.select(cls.id).where(has_expired))
            return int(cls.delete().where(has_expired).execute())

    @classmethod
    def _holds(cls, lease: PollLease) -> tuple[peewee.Expression, ...]:
        is_pending = cls.status == DeviceStatus.PENDING
        return cls.id == lease.id, cls.version == lease.version, is_pending

    @classmethod
    def _is_unleased(cls, now: datetime) -> peewee.Expression:
        return cls.lease_until.is_null() | (cls.lease_until <= now)


def has_due_polls(now: datetime) -> bool:
    """Return whether a poll is due; it reads one entry of an index."""
    table = TAB_DEVICE_AUTHORIZATIONS
    return bool(table.select(table.id).where(table.next_poll_at <= now).limit(1).exists())


def _create_pending_connection(new: NewDevice, profile: Mapping[str, Any], now: datetime) -> None:
    """Insert the connection that waits for the tokens of a device."""
    TAB_CONNECTIONS.create(
        id=new.id,
        **new.owner._asdict(),
        # No provider's name of an account begins with a blank.
        provider_subject=f" {new.id}",
        profile=profile,
        scope="",
        token_type="",
        variables=new.variables,
        status=ConnectionStatus.PENDING,
        version=0,
        failures=0,
        created_at=now,
        updated_at=now,
    )
