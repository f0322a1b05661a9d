"""Telling the operator's webhook what happened: signed, retried, and with an id to tell repeats by.

The form is that of Standard Webhooks: headers webhook-id, webhook-timestamp and webhook-signature,
the last "v1," and the base64 of HMAC-SHA256 over "<id>.<timestamp>.<body>".
"""

from __future__ import annotations

import base64
import hmac
import json
import logging
from datetime import datetime, timedelta
from typing import Any, Final

from actors.connections import rfc3339
from actors.errors import AuthError
from actors.planning import plan_retry
from actors.providers.transport import post_json
from catfeeder.jobs import utc_now
from catfeeder.sealing import WEBHOOK_LABEL, Key, KeyRing
from config import current_settings
from models.database import connected
from models.events import TAB_EVENTS

_LOG = logging.getLogger(__name__)
_BATCH: Final = 50
#: A delivery that was cut off is taken up again after this; longer than all timeouts of one.
_CLAIM: Final = timedelta(minutes=2)
_RETRY_SECONDS: Final = 10
_RETRY_CAP_SECONDS: Final = 3600
#: With the waits doubling up to an hour this is about a day and a half.
_MOST_ATTEMPTS: Final = 40


def deliver_events() -> None:
    """Perform the message of the same name: post every event that is due."""
    url = current_settings().oauth.webhook_url
    while url and (batch := _claim(utc_now())):
        for event in batch:
            _deliver(url, event, utc_now())


def _claim(now: datetime) -> list[TAB_EVENTS]:
    with connected():
        return TAB_EVENTS.claim_deliveries(now, now + _CLAIM, _BATCH)


def _deliver(url: str, event: TAB_EVENTS, now: datetime) -> None:
    body = json.dumps(describe_event(event)).encode()
    try:
        post_json(url, body, signature_headers(str(event.id), body, now))
    except AuthError as error:
        _LOG.warning("Event %s was not delivered: %s", event.id, error.detail)
        _postpone(event, now)
    else:
        with connected():
            TAB_EVENTS.confirm_delivery(event.id)


def _postpone(event: TAB_EVENTS, now: datetime) -> None:
    attempts = event.attempts + 1
    with connected():
        if attempts >= _MOST_ATTEMPTS:
            _LOG.error("Event %s is given up after %d attempts.", event.id, attempts)
            TAB_EVENTS.confirm_delivery(event.id)
        else:
            again_at = plan_retry(attempts, _RETRY_SECONDS, _RETRY_CAP_SECONDS, now)
            TAB_EVENTS.postpone_delivery(event.id, again_at)


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


def describe_event(event: TAB_EVENTS) -> dict[str, Any]:
    """Return an event as apps see it."""
    return {
        "id": event.id,
        "kind": event.kind,
        "key_id": event.key_id,
        "provider": event.provider,
        "connection_id": event.connection_id,
        "subject": event.subject,
        "detail": event.detail,
        "created_at": rfc3339(event.created_at),
    }
