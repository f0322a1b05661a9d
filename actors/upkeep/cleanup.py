"""Retention: erases expired sign-ins, dead connections and old events."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final

from actors.events.kinds import EventKind
from catfeeder.clock import utc_now
from config import current_settings
from models.db.database import hold_connection
from models.event_retention import erase_events
from models.oauth.connect_sessions import TAB_CONNECT_SESSIONS
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.derived_tokens import TAB_DERIVED_TOKENS
from models.oauth.devices import TAB_DEVICE_AUTHORIZATIONS
from models.oauth.imports.grants import TAB_IMPORTED_GRANTS
from models.oauth.sign_ins import TAB_VERIFICATION
from models.renewal.interrupted import erase_stale_attempts
from models.webhook_deliveries import TAB_WEBHOOK_DELIVERIES

_LOG = logging.getLogger(__name__)
_DEVICE_RETENTION: Final = timedelta(days=1)
#: A user who comes late is led back to the app.
_CONNECT_SESSION_RETENTION: Final = timedelta(days=1)
#: One without a known end is asked for again after this.
_DERIVED_TOKENS_KEPT: Final = timedelta(days=1)


def clean_verification() -> None:
    """Perform `clean_verification`: erase the sign-ins and devices that have expired.

    What became of a device is known for another day.
    """
    now = utc_now()
    with hold_connection():
        erased = TAB_VERIFICATION.erase_expired(now)
        erased += TAB_CONNECT_SESSIONS.erase_expired(now - _CONNECT_SESSION_RETENTION)
        erased += TAB_DEVICE_AUTHORIZATIONS.erase_expired(now - _DEVICE_RETENTION)
    _LOG.info("Erased %d expired sign-ins.", erased)


def clean_tokens() -> None:
    """Perform `clean_tokens`: erase connections that died `dead_connection_retention_days` ago.

    The kept answers of renewals that a sign-in has overtaken go too: they hold tokens. So do
    derived tokens that have run out.
    """
    now, kept = utc_now(), timedelta(days=current_settings().oauth.dead_connection_retention_days)
    with hold_connection():
        erased = TAB_CONNECTIONS.erase_dead(now - kept)
        TAB_DERIVED_TOKENS.erase_ended(now, now - _DERIVED_TOKENS_KEPT)
        erase_stale_attempts()
        TAB_IMPORTED_GRANTS.erase_orphans()
    _LOG.info("Erased %d dead connections.", erased)


def clean_events() -> None:
    """Perform `clean_events`: erase old events, those of renewals earlier than others."""
    now, oauth = utc_now(), current_settings().oauth
    # Where there is no webhook any more, no event waits for its delivery.
    undelivered = not oauth.webhook_url
    with hold_connection():
        erased = erase_events(
            now - timedelta(days=oauth.events_retention_days), undelivered=undelivered
        )
        for kind in (EventKind.RENEWED, EventKind.RENEWAL_FAILED_AGAIN):
            erased += erase_events(
                now - timedelta(days=oauth.renewed_events_retention_days),
                undelivered=undelivered,
                kind=kind,
            )
        TAB_WEBHOOK_DELIVERIES.erase_before(now - timedelta(days=oauth.events_retention_days))
    _LOG.info("Erased %d old events.", erased)
