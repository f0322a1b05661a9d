"""Failures on a page: events with a reference, which the user reads and the operator finds."""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from typing import Final

from actors.events.audit import list_events, record
from actors.events.kinds import EventKind
from models.db.database import hold_connection
from models.oauth.connect_sessions import TAB_CONNECT_SESSIONS

_REFERENCE: Final = re.compile("[0-9a-f]{10}")
_REFERENCE_BYTES: Final = 5


def record_failure(session: TAB_CONNECT_SESSIONS, provider: str, reason: str, now: datetime) -> str:
    """Write the event of what did not begin or was refused, and return its reference."""
    reference = secrets.token_hex(_REFERENCE_BYTES)
    with hold_connection():
        record(
            EventKind.SIGN_IN_REFUSED,
            now=now,
            provider=provider,
            subject=session.subject or None,
            reference=reference,
            reason=reason,
        )
    return reference


def is_reference_of(session: TAB_CONNECT_SESSIONS, reference: str) -> bool:
    """Return whether a reference is that of an event of the app, and of no other subject."""
    if not _REFERENCE.fullmatch(reference):
        return False
    found = list_events(reference=reference, limit=1)["items"]
    # The event of a code that was not redeemed names no subject.
    return any(event["subject"] in (session.subject or None, None) for event in found)
