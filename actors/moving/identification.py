"""Identification: a connection that was moved in without its account's name learns it."""

from __future__ import annotations

from datetime import datetime, timedelta

from actors.connections.errors import ConnectionBusy
from actors.connections.reading import find_connection
from actors.events.audit import record
from actors.events.kinds import EventKind
from catfeeder.clock import utc_now
from catfeeder.results import Profile
from config import current_settings
from models.db.database import hold_connection, transaction
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.imports.identities import is_identified, store_identity
from models.renewal.journal import claim_unstarted
from models.renewal.leases import Lease, find_leased, release

__all__ = ["identify", "is_identified"]


def identify(row: TAB_CONNECTIONS, profile: Profile, now: datetime) -> TAB_CONNECTIONS:
    """Store whose account a connection is, and return the connection that the account now has.

    Where it had one already, that one gets the grant, as from a sign-in, and `row` is no more. The
    connection is leased for that, as a renewal in flight replaces the grant.

    Raises:
        ConnectionBusy: A renewal of it is in flight.
        ConnectionUnknown: It was erased meanwhile.
    """
    lease = _lease(row.id)
    with transaction():
        held = None if lease is None else find_leased(lease)
        if lease is None or held is None:
            raise ConnectionBusy
        found = store_identity(held, profile, now)
        release(lease)
        merged = {} if found.id == row.id else {"merged": row.id}
        record(EventKind.IDENTIFIED, now=now, connection=found, **merged)
    return found


def _lease(connection_id: str) -> Lease | None:
    version, now = find_connection(connection_id).version, utc_now()
    until = now + timedelta(seconds=current_settings().oauth.lease_seconds)
    with hold_connection():
        return claim_unstarted(connection_id, version, now, until)
