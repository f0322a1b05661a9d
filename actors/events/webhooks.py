"""Webhook: posts each app's events to its receiver, signed, at least once, with back-off.

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

from actors.apps.settings import find_webhook_url
from actors.backoff import plan_retry
from actors.errors import AuthError
from actors.events.audit import describe_event
from actors.providers.errors import AddressForbidden, ProviderUnreachable
from actors.stopping import is_stop_requested
from actors.telemetry.metrics import WEBHOOK_DELIVERIES
from catfeeder.clock import utc_now
from catfeeder.queue.requester import DEFAULT_APP
from catfeeder.sealing import WEBHOOK_LABEL, Key, KeyRing
from config import current_settings
from models.db.database import hold_connection, transaction
from models.db.errors import DatabaseUnreachable
from models.events import TAB_EVENTS
from models.webhook_deliveries import TAB_WEBHOOK_DELIVERIES, DeliveryStatus

_LOG = logging.getLogger(__name__)
#: For what a delivery needs beside the receiver's time: its name's look-up, our database.
_SLACK: Final = timedelta(minutes=1)
_RETRY_SECONDS: Final = 10
_RETRY_CAP_SECONDS: Final = 3600
#: With waits that double up to an hour this is a day or a day and a half.
_MAX_ATTEMPTS: Final = 40
#: A receiver that hangs occupies a thread until its request times out.
_MAX_RECEIVERS: Final = 64
#: Held by the run that waits for the deliveries: one thread that performs messages, at most.
_waiting: Final = threading.Lock()
#: The apps whose events are being delivered by this process.
_in_progress: Final[set[str]] = set()
_lock: Final = threading.Lock()


def deliver_events() -> None:
    """Perform `deliver_events`: post every event that is due, until the process stops.

    Each app is served by a thread of its own, so that a receiver that hangs delays no other app.
    Of the runs of this process one waits for them: the others begin with what is due for further
    apps, and leave.
    """
    with hold_connection():
        due = TAB_EVENTS.list_due_apps(utc_now())
    begun = [thread for app in due if (thread := _begin_deliveries(app))]
    if not _waiting.acquire(blocking=False):
        return
    try:
        for thread in begun:
            thread.join()
    finally:
        _waiting.release()


def _begin_deliveries(app: str) -> threading.Thread | None:
    """Start to deliver an app's events, unless that is in progress, or there is no webhook."""
    url = find_webhook_url(app)
    with _lock:
        if url is None or app in _in_progress or len(_in_progress) >= _MAX_RECEIVERS:
            return None
        _in_progress.add(app)
    # The end of the process does not wait for a receiver: the event is due again in time.
    thread = threading.Thread(target=_deliver_to, args=(app, url), daemon=True)
    thread.start()
    return thread


def _deliver_to(app: str, url: str) -> None:
    try:
        while not is_stop_requested() and (event := _claim(app, utc_now())):
            if not _deliver(url, event, utc_now()):
                break
    except DatabaseUnreachable as error:
        _LOG.warning("Events of the app %s wait for the database: %s", app, error)
    finally:
        with _lock:
            _in_progress.discard(app)


def _claim(app: str, now: datetime) -> TAB_EVENTS | None:
    with hold_connection():
        return TAB_EVENTS.claim_delivery(app, now, now + _lease_duration())


def _lease_duration() -> timedelta:
    """Return how long a delivery may take; another process retries one that took longer."""
    oauth = current_settings().oauth
    # The handshake of TLS may take as long as the connection.
    seconds = 2 * oauth.connect_timeout_seconds + oauth.read_timeout_seconds
    return timedelta(seconds=seconds) + _SLACK


def _deliver(url: str, event: TAB_EVENTS, now: datetime) -> bool:
    """Post an event; return whether the receiver was reachable, and so worth trying again now."""
    # With the first event: a service without a webhook looks for some as often, and needs none.
    from actors.providers.http.requests import post_json

    body = json.dumps(describe_event(event)).encode()
    try:
        status = post_json(url, body, sign_delivery(str(event.id), body, now, app=event.app))
    except AuthError as error:
        text = "Event %s was not delivered to webhook_url of %s, and is tried again later: %s"
        extra = {"connection_id": event.connection_id}
        _LOG.warning(text, event.id, event.app, _describe(error), extra=extra)
        _postpone(event, error, now)
        return not isinstance(error, ProviderUnreachable)
    WEBHOOK_DELIVERIES.inc("delivered")
    with transaction():
        event.confirm_delivery()
        TAB_WEBHOOK_DELIVERIES.note(event, DeliveryStatus.DELIVERED, status, None, utc_now())
    return True


def _describe(error: AuthError) -> str:
    """Return what an operator reads: what is forbidden there is a setting of theirs, too."""
    if isinstance(error, AddressForbidden):
        return (
            "it must be an https URL of a public host, or name a host and port of "
            "OAUTH_ALLOWED_PRIVATE_HOSTS."
        )
    return error.detail


def _postpone(event: TAB_EVENTS, error: AuthError, now: datetime) -> None:
    answer = error.status, _describe(error), utc_now()
    if event.attempts >= _MAX_ATTEMPTS:
        text, extra = (
            "Event %s is given up after %d attempts.",
            {"connection_id": event.connection_id},
        )
        _LOG.error(text, event.id, event.attempts, extra=extra)
        WEBHOOK_DELIVERIES.inc("given_up")
        with transaction():
            event.confirm_delivery()
            TAB_WEBHOOK_DELIVERIES.note(event, DeliveryStatus.GIVEN_UP, *answer)
        return
    WEBHOOK_DELIVERIES.inc("failed")
    retry_after_seconds = getattr(error, "retry_after_seconds", 0)
    asked_for = now + timedelta(seconds=min(retry_after_seconds, _RETRY_CAP_SECONDS))
    planned = plan_retry(event.attempts, _RETRY_SECONDS, _RETRY_CAP_SECONDS, now)
    with transaction():
        event.postpone_delivery(max(planned, asked_for))
        TAB_WEBHOOK_DELIVERIES.note(event, DeliveryStatus.WAITING, *answer)


def sign_delivery(
    event_id: str, body: bytes, now: datetime, *, app: str = DEFAULT_APP
) -> dict[str, str]:
    """Return the headers by which a receiver verifies that a body is ours, new and whole.

    During a change of SECRET_KEY there is a signature by each key.
    """
    timestamp = str(int(now.timestamp()))
    signed = b".".join((event_id.encode(), timestamp.encode(), body))
    keys = _keys_of(app)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_sign(key, signed) for key in keys),
    }


def _sign(key: Key, signed: bytes) -> str:
    return f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"


def _keys_of(app: str) -> list[Key]:
    """Return the keys of an app's receiver, the current one first; no other app's can be derived.

    That of `default` is the one that there was before there were apps.
    """
    label = WEBHOOK_LABEL if app == DEFAULT_APP else f"{WEBHOOK_LABEL}/{app}"
    return KeyRing(current_settings().secret_keys()).keys(label)


def export_webhook_key(app: str = DEFAULT_APP) -> str:
    """Return an app's current key in the form of Standard Webhooks: "whsec_" and base64."""
    return f"whsec_{base64.b64encode(_keys_of(app)[0]).decode()}"
