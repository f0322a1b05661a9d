"""Writing the audit trail: what happened to a connection, provider or key, and who asked."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from catfeeder.requester import requester
from config import current_settings
from models.connections import TAB_CONNECTIONS
from models.events import TAB_EVENTS


class EventKind(StrEnum):
    """What can happen. The names are read by apps: never rename one."""

    AUTHORIZED = "authorized"
    EXCHANGED = "exchanged"
    SIGN_IN_REFUSED = "sign_in_refused"
    RENEWED = "renewed"
    RENEWAL_FAILED = "renewal_failed"
    REAUTHORIZATION_REQUIRED = "reauthorization_required"
    RECOVERED = "recovered"
    REVOKED = "revoked"
    PROVIDER_CHANGED = "provider_changed"
    API_KEY_CREATED = "api_key_created"
    API_KEY_REVOKED = "api_key_revoked"


#: What the webhook is told: a connection's changes of state, once each, and not every attempt.
_DELIVERED = frozenset(
    {
        EventKind.EXCHANGED,
        EventKind.RENEWAL_FAILED,
        EventKind.REAUTHORIZATION_REQUIRED,
        EventKind.RECOVERED,
        EventKind.REVOKED,
    }
)


def record(
    kind: EventKind,
    *,
    now: datetime,
    provider: str | None = None,
    connection: TAB_CONNECTIONS | None = None,
    subject: str | None = None,
    **detail: Any,
) -> None:
    """Write an event; call this within the transaction that makes the change.

    `detail` is JSON data for people and apps: codes and sentences of ours, never a secret.
    """
    TAB_EVENTS.add(
        kind,
        key_id=requester.get(),
        provider=connection.provider if connection else provider,
        connection_id=connection.id if connection else None,
        subject=(connection.subject or None) if connection else subject,
        detail=detail or None,
        is_delivered=kind in _DELIVERED and bool(current_settings().oauth.webhook_url),
        now=now,
    )
