"""Changes of a stored profile: each leaves an event that names what has changed, not to what."""

from __future__ import annotations

from datetime import datetime

from actors.connections.reading import read_profile
from actors.events.audit import record
from actors.events.kinds import EventKind
from catfeeder.results import Profile
from models.db.database import transaction
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.imports.identities import store_profile


def change_profile(row: TAB_CONNECTIONS, profile: Profile, now: datetime) -> None:
    """Store a newer profile of a connection's account, where it is another."""
    known = read_profile(row)
    changed = sorted(name for name, value in profile.items() if known.get(name) != value)
    if not changed:
        return
    with transaction():
        store_profile(row, profile)
        record(EventKind.PROFILE_CHANGED, now=now, connection=row, changed=changed)
