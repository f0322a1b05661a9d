"""Poison candidates: messages that two workers died of, given to a worker thread one at a time.

Each is to be performed alone in the process, so that no other is blamed for what it does. The
others stay here meanwhile: in threads they would wait for each other, and keep all else waiting.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection
from typing import Any, cast

from dramatiq import Message


class PoisonCandidates:
    """The candidates of one process, by queue; safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: defaultdict[str, dict[str, Message[Any]]] = defaultdict(dict)
        self._at_work: str | None = None

    def hold(self, queue_name: str, message: Message[Any]) -> None:
        """Keep a fetched message until its turn."""
        with self._lock:
            self._held[queue_name][_id_of(message)] = message

    def release(self, queue_name: str) -> Message[Any] | None:
        """Return the next candidate of a queue, unless one is at work in this process."""
        with self._lock:
            held = self._held[queue_name]
            if self._at_work is not None or not held:
                return None
            self._at_work = next(iter(held))
            return held.pop(self._at_work)

    def held_ids(self, queue_name: str) -> set[str]:
        """Return the redis_message_ids of a queue's messages that wait for their turn."""
        with self._lock:
            return set(self._held[queue_name])

    def in_hand(self, queue_name: str) -> set[str]:
        """Return those ids and that of the candidate at work, which may not have a thread yet."""
        with self._lock:
            at_work = set() if self._at_work is None else {self._at_work}
            return at_work | set(self._held[queue_name])

    def take_all(self, queue_name: str) -> list[str]:
        """Forget the messages of a queue, and return their redis_message_ids for a requeue."""
        with self._lock:
            return list(self._held.pop(queue_name, ()))

    def is_at_work(self, redis_message_id: str) -> bool:
        """Return whether a message is the candidate whose turn it is."""
        return self._at_work == redis_message_id

    def finish(self, redis_message_ids: Collection[str | bytes]) -> None:
        """Let the next candidate have its turn, if the one at work is among these."""
        with self._lock:
            if self._at_work is not None and self._at_work in redis_message_ids:
                self._at_work = None


def _id_of(message: Message[Any]) -> str:
    return cast("str", message.options["redis_message_id"])
