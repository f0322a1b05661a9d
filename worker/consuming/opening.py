"""Opening of fetched messages: each is to be performed, set aside, or left to a newer release."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from dramatiq.encoder import MessageData

from catfeeder.queue.encoder import (
    MAX_MESSAGE_BYTES,
    SealedEncoder,
    UnreadableMessage,
    build_quarantine_message,
)
from worker.consuming.in_flight.entries import Fetched
from worker.consuming.recognition import SpentMessage, UnknownMessage, check_message
from worker.consuming.releases import own_release

#: Quarantine keeps the beginning of what no message is: enough to recognise the sender.
_QUARANTINED_BYTES: Final = 64 * 1024
#: In a rollout, a message that only a newer release understands may stay queued for so long.
_NEWER_RELEASE_MS: Final = 30_000


class MessageOpener:
    """Opens and checks what Redis holds; `read_releases` returns those of all live workers."""

    def __init__(self, encoder: SealedEncoder, read_releases: Callable[[], set[str]]) -> None:
        self._encoder = encoder
        self._read_releases = read_releases

    def open(self, queue_name: str, fetched: Fetched) -> MessageData | None:
        """Return the fields of the message to perform, or None to requeue it.

        A message to `quarantine` replaces one that does not open, or that has no actor here.

        Raises:
            ConnectionClosed: Redis did not answer.
        """
        body, redis_message_id, fields = fetched.body or b"", fetched.id.decode(), None
        try:
            fields = self._encoder.open(body)
            if fetched.is_spent:
                raise SpentMessage
            check_message(queue_name, redis_message_id, fields, fetched.worker_deaths)
        except UnreadableMessage as error:
            if fields and isinstance(error, UnknownMessage) and self._suits_newer_release(fields):
                return None
            is_small = len(body) <= MAX_MESSAGE_BYTES
            # What may be a message yet, by another key or release, is kept whole for its replay.
            kept = body if is_small else body[:_QUARANTINED_BYTES]
            return build_quarantine_message(queue_name, redis_message_id, error, kept)
        return fields

    def _suits_newer_release(self, fields: MessageData) -> bool:
        """Return whether the message is recent and a worker of another release runs."""
        age_ms = abs(time.time() * 1000 - fields["message_timestamp"])
        is_recent = age_ms < _NEWER_RELEASE_MS
        return is_recent and bool(self._read_releases() - {own_release()})
