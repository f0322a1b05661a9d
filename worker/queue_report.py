"""What stands on the queues, for an operator: how much, for how long, and who works it off."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from actors.queue.bodies import DeadLetter
from actors.queue.dead_letters import DeadLetters
from catfeeder.broker import NAMESPACE, WORKERS_KEY, SealedBroker
from catfeeder.clock import rfc3339
from catfeeder.encoder import UnreadableMessage
from catfeeder.messages import QUEUES
from catfeeder.redis_connection import translate_redis_errors


def describe_queues(broker: SealedBroker, now: datetime) -> list[dict[str, Any]]:
    """Return each queue as JSON data.

    Raises:
        QueueUnreachable: Redis did not answer.
    """
    paces = worker_paces(broker)
    letters = DeadLetters(broker)
    return [
        {
            "queue": queue,
            "messages": broker.depth(queue),
            "oldest_seconds": oldest_seconds(broker, queue, now),
            "workers": sum(queue in pace for pace in paces),
            "per_second": round(math.fsum(pace.get(queue) or 0 for pace in paces), 3),
            "dead_letters": dict(letters.counts(queue)),
        }
        for queue in QUEUES
    ]


def oldest_seconds(broker: SealedBroker, queue: str, now: datetime) -> float | None:
    """Return how long the message at the head of a queue has waited; None when none waits.

    Raises:
        QueueUnreachable: Redis did not answer.
    """
    with translate_redis_errors():
        first = cast("bytes | None", broker.client.lindex(f"{NAMESPACE}:{queue}", 0))
        if first is None:
            return None
        bodies = f"{NAMESPACE}:{queue}.msgs"
        body = cast("bytes | None", broker.client.hget(bodies, cast("str", first)))
    try:
        sent_ms: int = broker.encoder.open(body or b"")["message_timestamp"]
    except UnreadableMessage:
        # A worker is about to find out.
        return None
    return round(max(0.0, (now - datetime.fromtimestamp(sent_ms / 1000, UTC)).total_seconds()), 3)


def worker_paces(broker: SealedBroker) -> list[Mapping[str, float | None]]:
    """Return of each worker how many messages of each of its queues it performs in a second.

    None stands for a queue of which it has not performed any yet.

    Raises:
        QueueUnreachable: Redis did not answer.
    """
    with translate_redis_errors():
        told = cast("list[bytes]", broker.client.hvals(WORKERS_KEY))
    return [json.loads(text).get("per_second", {}) for text in told]


def letter_json(letter: DeadLetter) -> dict[str, Any]:
    """Return a dead letter as JSON data."""
    return {
        "id": letter.id,
        "died_at": rfc3339(letter.died_at),
        "reason": letter.reason,
        "detail": letter.detail,
        "actor": letter.actor,
        "job_id": letter.job_id,
    }
