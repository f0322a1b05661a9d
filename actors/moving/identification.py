"""Identification: a connection that was moved in without its account's name learns it."""

from __future__ import annotations

from datetime import datetime

from actors.audit import EventKind, record
from catfeeder.results import Profile
from models.db.database import transaction
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.identities import is_identified, store_identity

__all__ = ["identify", "is_identified"]


def identify(row: TAB_CONNECTIONS, profile: Profile, now: datetime) -> TAB_CONNECTIONS:
    """Store whose account a connection is, and return the connection that the account now has.

    Where it had one already, that one gets the grant, as from a sign-in, and `row` is no more.
    """
    with transaction():
        found = store_identity(row, profile, now)
        merged = {} if found.id == row.id else {"merged": row.id}
        record(EventKind.IDENTIFIED, now=now, connection=found, **merged)
    return found
