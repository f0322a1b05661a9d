"""Sweep of devices: leases the polls that are due, and enqueues one message for each."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

import dramatiq

from actors.devices.polling import poll_leased
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError
from catfeeder.messages import POLL_DEVICE
from catfeeder.queue.broker import build_message
from config import current_settings
from models.db.database import hold_connection
from models.oauth.devices import TAB_DEVICE_AUTHORIZATIONS, PollLease

_LOG = logging.getLogger(__name__)
#: Polls that one sweep leases; the next sweep is a second later.
_MAX_LEASES: Final = 500


def poll_devices() -> None:
    """Perform the message of the same name: spread the polls that are due over the workers.

    A message that is lost is made up for when its lease runs out.
    """
    broker = dramatiq.get_broker()
    for lease in claim_due_polls(utc_now()):
        arguments = {"device_id": lease.id, "version": lease.version}
        broker.enqueue(build_message(POLL_DEVICE, arguments))


def claim_due_polls(now: datetime) -> list[PollLease]:
    """Lease the polls that are due at a time, for as long as a message may wait for a worker."""
    until = now + timedelta(seconds=current_settings().oauth.lease_seconds)
    with hold_connection():
        return TAB_DEVICE_AUTHORIZATIONS.claim_due(now, until, _MAX_LEASES)


def poll_due_devices() -> None:
    """Poll in this process, one after the other: for a program without a queue."""
    for lease in claim_due_polls(utc_now()):
        try:
            poll_leased(lease)
        except CatFeederError as error:
            extra = {"connection_id": lease.id}
            _LOG.error("Polling for connection %s failed: %s", lease.id, error, extra=extra)
