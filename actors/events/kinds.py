"""Kinds of events, which apps read by name, and those of them that go to webhooks."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class EventKind(StrEnum):
    """What can happen. The names are read by apps: never rename one."""

    AUTHORIZED = "authorized"
    CONNECT_SESSION_CREATED = "connect_session_created"
    CONNECT_SESSION_OPENED = "connect_session_opened"
    EXCHANGED = "exchanged"
    CONNECTED = "connected"
    IMPORTED = "imported"
    IDENTIFIED = "identified"
    DEVICE_REFUSED = "device_refused"
    SIGN_IN_REFUSED = "sign_in_refused"
    RENEWED = "renewed"
    TOKEN_EXCHANGED = "token_exchanged"
    TOKEN_EXCHANGE_REFUSED = "token_exchange_refused"
    PROFILE_REQUESTED = "profile_requested"
    PROFILE_CHANGED = "profile_changed"
    RENEWAL_REQUESTED = "renewal_requested"
    RENEWAL_RETRIED = "renewal_retried"
    RENEWAL_FAILED = "renewal_failed"
    RENEWAL_FAILED_AGAIN = "renewal_failed_again"
    REAUTHORIZATION_SOON = "reauthorization_soon"
    REAUTHORIZATION_REQUIRED = "reauthorization_required"
    ENDED = "ended"
    RECOVERED = "recovered"
    REVOKED = "revoked"
    SCOPE_MISSING = "scope_missing"
    IDENTITY_REFUSED = "identity_refused"
    PROVIDER_CHANGED = "provider_changed"
    PROVIDER_PAUSED = "provider_paused"
    PROVIDER_RESUMED = "provider_resumed"
    QUEUE_PAUSED = "queue_paused"
    QUEUE_RESUMED = "queue_resumed"
    DEAD_LETTERS_REPLAYED = "dead_letters_replayed"
    DEAD_LETTERS_DISCARDED = "dead_letters_discarded"
    JOB_CANCELLED = "job_cancelled"
    API_KEY_CREATED = "api_key_created"
    API_KEY_REVOKED = "api_key_revoked"
    APP_CHANGED = "app_changed"
    WEBHOOK_RESENT = "webhook_resent"
    ROW_REFUSED = "row_refused"


#: The events that go to the webhook: each change of a connection's state, and no single attempt.
DELIVERED_KINDS = frozenset(
    {
        EventKind.EXCHANGED,
        EventKind.CONNECTED,
        EventKind.IDENTIFIED,
        EventKind.PROFILE_CHANGED,
        EventKind.DEVICE_REFUSED,
        EventKind.RENEWAL_FAILED,
        EventKind.REAUTHORIZATION_SOON,
        EventKind.REAUTHORIZATION_REQUIRED,
        EventKind.ENDED,
        EventKind.RECOVERED,
        EventKind.REVOKED,
        EventKind.SCOPE_MISSING,
        EventKind.IDENTITY_REFUSED,
        EventKind.PROVIDER_PAUSED,
        EventKind.PROVIDER_RESUMED,
    }
)
#: The state of what apps share: whichever app's renewal, or request, has brought it about.
SERVICE_KINDS: Final = frozenset(
    {
        EventKind.PROVIDER_PAUSED,
        EventKind.PROVIDER_RESUMED,
        EventKind.QUEUE_PAUSED,
        EventKind.QUEUE_RESUMED,
    }
)
