"""Queue report for an operator: depth, oldest wait, workers, throughput and dead letters."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, TypedDict, cast

from actors.cursors import is_id
from actors.queue import bodies
from actors.queue.dead_letters import DeadLetters
from catfeeder.clock import rfc3339
from catfeeder.messages import PASSWORDS, QUEUES
from catfeeder.queue.broker import NAMESPACE, WORKERS_KEY, SealedBroker
from catfeeder.queue.encoder import UnreadableMessage
from catfeeder.queue.lanes import HEADS
from catfeeder.queue.lua_scripts import Call, call_script
from catfeeder.queue.redis.connection import translate_redis_errors
from catfeeder.results import Time
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from worker.queue.pauses import read_pauses


class QueueName(StrEnum):
    """A queue."""

    PASSWORDS = "passwords"
    OAUTH = "oauth"
    RENEWALS = "renewals"
    CONTROL = "control"


class Queue(TypedDict):
    """The state of a queue."""

    queue: Annotated[str, QueueName]
    messages: Annotated[int, "How many wait; those in flight are not counted."]
    oldest_seconds: Annotated[float | None, "How long the first of them has waited."]
    workers: int
    paused: Annotated[bool, "Whether the operator keeps workers from fetching from it."]
    paused_at: Time | None
    per_second: Annotated[float, "How many the workers could perform, by the latest ones."]
    done_per_second: Annotated[float, "How many they performed, in the last seconds."]
    dead_letters: Annotated[
        dict[str, int],
        "How many messages no worker will perform, by the code of the reason, such as "
        "`kills_workers`.",
    ]


class QueueList(TypedDict):
    """All queues."""

    items: list[Queue]


class DeadLetter(TypedDict):
    """A message that failed or was set aside; what it holds is not shown."""

    id: str
    died_at: Time
    reason: Annotated[str, "The code of the job's error, or why it was set aside."]
    detail: str | None
    actor: Annotated[str | None, "null where the message cannot be read."]
    app: Annotated[str | None, "The app that asked; null for the service's own messages."]
    job_id: str | None
    provider: Annotated[str | None, "The provider that it was about, if it was."]
    connection_ids: Annotated[list[str], "The connections that it was about."]


class DeadLetterPage(TypedDict):
    """Dead letters, the latest first."""

    items: list[DeadLetter]
    next_cursor: Annotated[str | None, "The `cursor` of the next page; null on the last one."]


def describe_queues(broker: SealedBroker, now: datetime) -> list[Queue]:
    """Return the report of each queue.

    Raises:
        QueueUnreachable: Redis did not answer.
    """
    reports = read_reports(broker)
    throughputs = [report.get("per_second", {}) for report in reports]
    letters = DeadLetters(broker)
    pauses = read_pauses(broker.client)
    return [
        {
            "queue": queue,
            "messages": broker.depth(queue),
            "oldest_seconds": _oldest_seconds(broker, queue, now),
            "workers": sum(queue in worker for worker in throughputs),
            "paused": queue in pauses,
            "paused_at": rfc3339(pauses.get(queue)),
            "per_second": round(math.fsum(worker.get(queue) or 0 for worker in throughputs), 3),
            "done_per_second": _sum_done(reports, queue),
            "dead_letters": dict(letters.counts(queue)),
        }
        for queue in QUEUES
    ]


def _sum_done(reports: Sequence[Mapping[str, Any]], queue: str) -> float:
    """Return what the workers perform; one of an earlier release does not say."""
    done = (report.get("done_per_second", {}).get(queue) or 0 for report in reports)
    return round(math.fsum(done), 3)


def read_throughputs(broker: SealedBroker) -> list[Mapping[str, float | None]]:
    """Return for each worker how many messages of each of its queues it performs per second.

    None stands for a queue of which it has performed no message yet.

    Raises:
        QueueUnreachable: Redis did not answer.
    """
    return [report.get("per_second", {}) for report in read_reports(broker)]


def read_work_rates(broker: SealedBroker, usual_cost: int) -> list[Mapping[str, float | None]]:
    """Return for each worker the cost that it performs per second, by queue; None as above.

    A worker of an earlier release counts messages; each hash is taken to be of the usual cost.

    Raises:
        QueueUnreachable: Redis did not answer.
    """
    return [
        report.get("work") or _weigh(report.get("per_second", {}), usual_cost)
        for report in read_reports(broker)
    ]


def _weigh(per_second: Mapping[str, float | None], usual_cost: int) -> Mapping[str, float | None]:
    return {
        queue: rate and rate * (usual_cost if queue == PASSWORDS else 1)
        for queue, rate in per_second.items()
    }


def read_reports(broker: SealedBroker) -> list[dict[str, Any]]:
    """Return what each worker reports with its heartbeat.

    Raises:
        QueueUnreachable: Redis did not answer.
    """
    with translate_redis_errors():
        reports = cast("list[bytes]", broker.client.hvals(WORKERS_KEY))
    return [json.loads(report) for report in reports]


def describe_dead_letters(letters: Sequence[bodies.DeadLetter]) -> list[DeadLetter]:
    """Return the report of each dead letter.

    Raises:
        DatabaseUnreachable: A connection's provider cannot be looked up.
    """
    providers = _find_providers(letters)
    return [
        {
            "id": letter.id,
            "died_at": rfc3339(letter.died_at),
            "reason": letter.reason,
            "detail": letter.detail,
            "actor": letter.actor,
            "app": letter.app,
            "job_id": letter.job_id,
            "provider": letter.provider or _common(letter.connection_ids, providers),
            "connection_ids": list(letter.connection_ids),
        }
        for letter in letters
    ]


def _find_providers(letters: Sequence[bodies.DeadLetter]) -> Mapping[str, str]:
    """Return the provider of each connection that a letter names without its provider."""
    unnamed = [letter for letter in letters if letter.provider is None]
    ids = {one for letter in unnamed for one in letter.connection_ids if is_id(one)}
    if not ids:
        return {}
    with hold_connection():
        return TAB_CONNECTIONS.find_providers(ids)


def _common(connection_ids: Sequence[str], providers: Mapping[str, str]) -> str | None:
    """Return the one provider of several connections, as a message has; None if none is known."""
    found = {providers[one] for one in connection_ids if one in providers}
    return found.pop() if len(found) == 1 else None


def _oldest_seconds(broker: SealedBroker, queue: str, now: datetime) -> float | None:
    """Return how long a queue's first message has waited; None for an empty queue."""
    with translate_redis_errors():
        bodies = call_script(broker.client, Call(HEADS, [f"{NAMESPACE}:{queue}"], []))
    waits = [_wait_seconds(broker, body, now) for body in bodies]
    return max((wait for wait in waits if wait is not None), default=None)


def _wait_seconds(broker: SealedBroker, body: bytes, now: datetime) -> float | None:
    try:
        sent_ms: int = broker.encoder.open(body)["message_timestamp"]
    except UnreadableMessage:
        # A worker is about to quarantine it.
        return None
    return round(max(0.0, (now - datetime.fromtimestamp(sent_ms / 1000, UTC)).total_seconds()), 3)
