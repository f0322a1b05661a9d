"""Telling the operator's webhook what happened: signed, retried, and with an id to tell repeats by.

The form is that of Standard Webhooks: headers webhook-id, webhook-timestamp and webhook-signature,
the last "v1," and the base64 of HMAC-SHA256 over "<id>.<timestamp>.<body>".
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
from actors.errors import AuthError, ProviderUnreachable
from actors.providers.http.requests import post_json
from catfeeder.clock import utc_now
from catfeeder.sealing import WEBHOOK_LABEL, Key, KeyRing
from config import current_settings
from models.db.database import hold_connection
from models.events import TAB_EVENTS

_LOG = logging.getLogger(__name__)
#: What a delivery may take beside the receiver's own time: looking up its name, our database.
_SLACK: Final = timedelta(minutes=1)
_RETRY_SECONDS: Final = 10
_RETRY_CAP_SECONDS: Final = 3600
#: With the waits doubling up to an hour this is a day or a day and a half.
_MOST_ATTEMPTS: Final = 40
#: A receiver that hangs keeps one thread of this process, and sign-ins have the others.
_running: Final = threading.Lock()


def deliver_events() -> None:
    """Perform the message of the same name: post every event that is due, one after the other."""
    url = current_settings().oauth.webhook_url
    if not url or not _running.acquire(blocking=False):
        return
    try:
        while event := _take(utc_now()):
            if not _is_reachable_with(url, event, utc_now()):
                break
    finally:
        _running.release()


def _take(now: datetime) -> TAB_EVENTS | None:
    with hold_connection():
        return TAB_EVENTS.claim_delivery(now, now + _claim())


def _claim() -> timedelta:
    """Return how long a delivery may take; one that was cut off is taken up again after that."""
    oauth = current_settings().oauth
    # Two addresses may be tried.
    seconds = 2 * oauth.connect_timeout_seconds + oauth.read_timeout_seconds
    return timedelta(seconds=seconds) + _SLACK


def _is_reachable_with(url: str, event: TAB_EVENTS, now: datetime) -> bool:
    """Post an event; false when the receiver is not there, so that others need not be tried now."""
    body = json.dumps(describe_event(event)).encode()
    try:
        post_json(url, body, signature_headers(str(event.id), body, now))
    except AuthError as error:
        _LOG.warning("Event %s was not delivered to webhook_url: %s", event.id, error.detail)
        _postpone(event, getattr(error, "retry_after_seconds", 0), now)
        return not isinstance(error, ProviderUnreachable)
    with hold_connection():
        event.confirm_delivery()
    return True


def _postpone(event: TAB_EVENTS, retry_after_seconds: int, now: datetime) -> None:
    if event.attempts >= _MOST_ATTEMPTS:
        _LOG.error("Event %s is given up after %d attempts.", event.id, event.attempts)
        with hold_connection():
            event.confirm_delivery()
        return
    asked_for = now + timedelta(seconds=min(retry_after_seconds, _RETRY_CAP_SECONDS))
    planned = plan_retry(event.attempts, _RETRY_SECONDS, _RETRY_CAP_SECONDS, now)
    with hold_connection():
        event.postpone_delivery(max(planned, asked_for))


def signature_headers(event_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """Return the headers by which the receiver can tell that a body is ours, new and whole.

    While SECRET_KEY is being changed there is a signature for each: either key verifies one.
    """
    timestamp = str(int(now.timestamp()))
    signed = b".".join((event_id.encode(), timestamp.encode(), body))
    keys = KeyRing(current_settings().secret_keys()).keys(WEBHOOK_LABEL)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(key, signed) for key in keys),
    }


def _signature(key: Key, signed: bytes) -> str:
    return f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"


def receivers_key() -> str:
    """Return the key as receivers take it: "whsec_" and base64, as Standard Webhooks writes it."""
    key = KeyRing(current_settings().secret_keys()).keys(WEBHOOK_LABEL)[0]
    return f"whsec_{base64.b64encode(key).decode()}"
