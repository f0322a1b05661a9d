"""In-process performer: stands in for the queue in a program that runs without a service."""

from __future__ import annotations

import logging
from typing import Final

from actors.registry import PERFORMERS, load_performer
from catfeeder.errors import CatFeederError
from catfeeder.messages import POLL_DEVICES, RENEW_OATHS, MessageType

_LOG = logging.getLogger(__name__)
#: A sweep emits its leases to workers; where there are none it does their work by itself.
_IN_PROCESS: Final = {
    RENEW_OATHS: "actors.renewal.in_process:renew_due_connections",
    POLL_DEVICES: "actors.devices.sweep:poll_due_devices",
}


class LocalQueue:
    """Performs each message of the schedule at once, in the caller's thread."""

    def enqueue(self, message_type: MessageType) -> None:
        """Perform a message without arguments; log what fails, as a worker would."""
        address = _IN_PROCESS.get(message_type) or PERFORMERS[message_type]
        try:
            load_performer(address)()
        except CatFeederError as error:
            _LOG.error("%s is left undone: %s", message_type.name, error)

    def close(self) -> None:
        """Do nothing: there is no connection."""
