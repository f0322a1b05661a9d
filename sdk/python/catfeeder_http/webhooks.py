"""Webhook verification: signature and time of a request (Standard Webhooks)."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

from .faults import WebhookNotOurs

_TOLERANCE_SECONDS = 300
#: Of the time in seconds; `int` raises for thousands.
_MAXIMUM_DIGITS = 12


def verify_webhook(
    headers: Mapping[str, str], body: bytes, key: str, now: float | None = None
) -> dict[str, Any]:
    """Return the event of a request; `body` as it came, `key` as `keys webhook` prints it.

    Raises:
        WebhookNotOurs: The signature is wrong, or the time is not within five minutes.
        ValueError: `key` is not one.
    """
    named = {name.lower(): value for name, value in headers.items()}
    timestamp = named.get("webhook-timestamp", "")
    moment = time.time() if now is None else now
    is_time = timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= _MAXIMUM_DIGITS
    if not is_time or abs(moment - int(timestamp)) > _TOLERANCE_SECONDS:
        raise WebhookNotOurs("The time of the webhook is not within five minutes.")
    signed = f"{named.get('webhook-id', '')}.{timestamp}.".encode() + body
    expected = base64.b64encode(hmac.digest(_read_key(key), signed, "sha256")).decode()
    # While SECRET_KEY is being changed there are two signatures, and one of them is enough.
    signatures = named.get("webhook-signature", "").split()
    if not any(hmac.compare_digest(one.encode(), f"v1,{expected}".encode()) for one in signatures):
        raise WebhookNotOurs("The signature of the webhook is wrong.")
    event: dict[str, Any] = json.loads(body)
    return event


def _read_key(key: str) -> bytes:
    try:
        if not key.startswith("whsec_"):
            raise ValueError
        return base64.b64decode(key.removeprefix("whsec_"), validate=True)
    except (ValueError, binascii.Error):
        raise ValueError(
            "The key is not one that `python -m worker keys webhook` prints."
        ) from None
