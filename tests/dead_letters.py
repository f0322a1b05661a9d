"""What tests look for among the dead letters: what was set aside, bytes and all."""

from __future__ import annotations

from typing import Any, cast

from catfeeder.messages import QUARANTINE, QUEUES
from catfeeder.queue.broker import SealedBroker


def set_aside(broker: SealedBroker) -> list[dict[str, Any]]:
    """Return the arguments of `quarantine` for all that is in quarantine, the oldest first."""
    found = []
    for queue in QUEUES:
        for letter_id in cast("list[bytes]", broker.client.zrange(f"catfeeder:{queue}.XQ", 0, -1)):
            body = cast("bytes", broker.client.hget(f"catfeeder:{queue}.XQ.msgs", letter_id))
            fields = broker.encoder.open(body)
            if fields["actor_name"] == QUARANTINE.name:
                found.append(fields["kwargs"])
    return found
