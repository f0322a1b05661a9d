"""Webhook: posts events to the operator's receiver, signed, at least once, with back-off.

The form is that of Standard Webhooks: headers webhook-id, webhook-timestamp and webhook-signature.
The last is "v1," and the base64 of HMAC-SHA256 over "<id>.<timestamp>.<body>".
"""

from __future__ import annotations

import base64
import hmac
import json
import logging
import threading
from datetime import datetime, timedelta
from typing import Final

from actors.audit import describe_event
from actors.backoff import plan_retry
from actors.errors import AddressForbidden, AuthError, ProviderUnreachable
from actors.providers.http.requests import post_json
from actors.stopping import is_stop_requested
from catfeeder.clock import utc_now
from catfeeder.sealing import WEBHOOK_LABEL, Key, KeyRing
from config import current_settings
from models.db.database import hold_connection
from models.events import TAB_EVENTS

_LOG = logging.getLogger(__name__)
#: For what a delivery needs beside the receiver's time: its name's look-up, our database.
_SLACK: Final = timedelta(minutes=1)
_RETRY_SECONDS: Final = 10
_RETRY_CAP_SECONDS: Final = 3600
#: With waits that double up to an hour this is a day or a day and a half.
_MAX_ATTEMPTS: Final = 40
#: A receiver that hangs occupies one thread of this process, and no other.
_running: Final = threading.Lock()


def deliver_events() -> None:
    """Perform `deliver_events`: post every event that is due, until the process stops."""
    url = current_settings().oauth.webhook_url
    if not url or not _running.acquire(blocking=False):
        return
    try:
        while not is_stop_requested() and (event := _claim(utc_now())):
            if not _deliver(url, event, utc_now()):
                break
    finally:
        _running.release()


def _claim(now: datetime) -> TAB_EVENTS | None:
    with hold_connection():
        return TAB_EVENTS.claim_delivery(now, now + _lease_duration())


def _lease_duration() -> timedelta:
    """Return how long a delivery may take; another process retries one that took longer."""
    oauth = current_settings().oauth
    # The handshake of TLS may take as long as the connection.
    seconds = 2 * oauth.connect_timeout_seconds + oauth.read_timeout_seconds
    return timedelta(seconds=seconds) + _SLACK


def _deliver(url: str, event: TAB_EVENTS, now: datetime) -> bool:
    """Post an event; return whether the receiver was reachable, and so worth trying again now."""
    body = json.dumps(describe_event(event)).encode()
    try:
        post_json(url, body, sign_delivery(str(event.id), body, now))
    except AuthError as error:
        text = "Event %s was not delivered to webhook_url, and is tried again later: %s"
        extra = {"connection_id": event.connection_id}
        _LOG.warning(text, event.id, _describe(error), extra=extra)
        _postpone(event, getattr(error, "retry_after_seconds", 0), now)
        return not isinstance(error, ProviderUnreachable)
    with hold_connection():
        event.confirm_delivery()
    return True


def _describe(error: AuthError) -> str:
    """Return what an operator reads: what is forbidden there is a setting of theirs, too."""
    if isinstance(error, AddressForbidden):
        return (
            "it must be an https URL of a public host, or name a host and port of "
            "OAUTH_ALLOWED_PRIVATE_HOSTS."
        )
    return error.detail


def _postpone(event: TAB_EVENTS, retry_after_seconds: int, now: datetime) -> None:
    if event.attempts >= _MAX_ATTEMPTS:
        text, extra = (
            "Event %s is given up after %d attempts.",
            {"connection_id": event.connection_id},
        )
        _LOG.error(text, event.id, event.attempts, extra=extra)
        with hold_connection():
            event.confirm_delivery()
        return
    asked_for = now + timedelta(seconds=min(retry_after_seconds, _RETRY_CAP_SECONDS))
    planned = plan_retry(event.attempts, _RETRY_SECONDS, _RETRY_CAP_SECONDS, now)
    with hold_connection():
        event.postpone_delivery(max(planned, asked_for))


def sign_delivery(event_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """Return the headers by which a receiver verifies that a body is ours, new and whole.

    During a change of SECRET_KEY there is a signature by each key.
    """
    timestamp = str(int(now.timestamp()))
    signed = b".".join((event_id.encode(), timestamp.encode(), body))
    keys = KeyRing(current_settings().secret_keys()).keys(WEBHOOK_LABEL)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_sign(key, signed) for key in keys),
    }


def _sign(key: Key, signed: bytes) -> str:
    return f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"


def export_webhook_key() -> str:
    """Return the current key in the form of Standard Webhooks: "whsec_" and base64."""
    key = KeyRing(current_settings().secret_keys()).keys(WEBHOOK_LABEL)[0]
    return f"whsec_{base64.b64encode(key).decode()}"
