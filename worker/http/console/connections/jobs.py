"""Jobs that a button of the console sends: performed for the connection's app, and awaited."""

from __future__ import annotations

from typing import Any, Final

from catfeeder.messages import MessageType
from catfeeder.queue.jobs.store import JobStatus
from catfeeder.queue.requester import act_for
from worker.http.shim import Shim

#: A job that takes longer goes on, and the page says so.
_WAIT_SECONDS: Final = 10


async def perform_for(
    shim: Shim, app: str, message_type: MessageType, arguments: dict[str, Any]
) -> str:
    """Perform a job for an app, and return how it ended: `done`, `failed`, or not yet, `begun`.

    Raises:
        ServerStopping, QueueOverloaded, QueueUnreachable: As `Shim.send`.
    """
    with act_for(app):
        record = await shim.wait(await shim.send(message_type, arguments), _WAIT_SECONDS)
    if not record.status.is_final:
        return "begun"
    return "done" if record.status is JobStatus.SUCCEEDED else "failed"
