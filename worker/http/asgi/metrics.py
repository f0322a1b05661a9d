"""Prometheus metrics: counters of this process, and gauges of the whole service."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from catfeeder.clock import utc_now
from catfeeder.errors import QueueUnreachable
from catfeeder.queue.broker import SealedBroker
from models.db.database import hold_connection
from models.db.errors import DatabaseUnreachable
from models.events import TAB_EVENTS
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.provider_health import TAB_PROVIDER_HEALTH, HealthState
from worker.queue.report import describe_queues

#: Any caller may send any method and path: labels made of them would grow without end.
_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_OTHER: Final = "other"
#: In seconds; the longest wait that a caller may prefer is 30.
_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The registry of one process, and the counters that requests touch."""

    def __init__(self, broker: SealedBroker, waiting: Callable[[], int]) -> None:
        """`waiting` returns how many requests of this process wait for a job."""
        self.registry = CollectorRegistry()
        self.registry.register(_ServiceGauges(broker, waiting))
        count = partial(Counter, registry=self.registry)
        self.requests = count(
            "catfeeder_http_requests",
            "Requests answered by this process.",
            ["method", "route", "status"],
        )
        self.seconds = Histogram(
            "catfeeder_http_request_seconds",
            "Time from a request to the end of its answer, waiting for a job included.",
            ["route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.jobs = count(
            "catfeeder_jobs_enqueued", "Jobs that this process put onto a queue.", ["actor"]
        )
        self.logins = count(
            "catfeeder_logins_begun",
            "Sign-ins that a browser began without a key; one that is answered leaves an event.",
            ["provider"],
        )
        self.refused_logins = count(
            "catfeeder_logins_refused",
            "Sign-ins that a browser wanted to begin without a key, and could not.",
            ["provider", "reason"],
        )
        self.keys_refused = count(
            "catfeeder_http_keys_refused",
            "Requests refused for their API key, or for the lack of one.",
            ["reason"],
        )

    def text(self) -> bytes:
        """Return everything in Prometheus's text format; reads Redis and the database."""
        return generate_latest(self.registry)


class _ServiceGauges(Collector):
    """Gauges that are read from Redis and the database at each scrape."""

    def __init__(self, broker: SealedBroker, waiting: Callable[[], int]) -> None:
        self._broker = broker
        self._waiting = waiting

    def describe(self) -> list[Metric]:
        """Return nothing, so that registering reads nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield each gauge; those of a part that is away are left out."""
        with suppress(QueueUnreachable):
            yield from _read_queues(self._broker)
        with suppress(DatabaseUnreachable):
            yield _read_connections()
            yield _read_paused_providers()
            yield _read_undelivered_events()
        yield GaugeMetricFamily(
            "catfeeder_http_waiting", "Requests that wait for a job.", value=self._waiting()
        )


def _read_queues(broker: SealedBroker) -> list[Metric]:
    messages = GaugeMetricFamily(
        "catfeeder_queue_messages", "Messages that wait in a queue.", labels=["queue"]
    )
    oldest = GaugeMetricFamily(
        "catfeeder_queue_oldest_seconds",
        "How long the first message of a queue has waited.",
        labels=["queue"],
    )
    dead = GaugeMetricFamily(
        "catfeeder_dead_letters",
        "Messages that no worker will perform as they are, by the code of the reason.",
        labels=["queue", "reason"],
    )
    paused = GaugeMetricFamily(
        "catfeeder_queue_paused",
        "1 for a queue that the operator has paused, else 0.",
        labels=["queue"],
    )
    for described in describe_queues(broker, utc_now()):
        queue = described["queue"]
        paused.add_metric([queue], described["paused"])
        messages.add_metric([queue], described["messages"])
        oldest.add_metric([queue], described["oldest_seconds"] or 0)
        for reason, count in described["dead_letters"].items():
            dead.add_metric([queue, reason], count)
    return [messages, oldest, dead, paused]


def _read_connections() -> Metric:
    family = GaugeMetricFamily(
        "catfeeder_connections", "Users' connections to providers.", labels=["status"]
    )
    with hold_connection():
        counted = TAB_CONNECTIONS.count_by_status()
    for status in ConnectionStatus:
        family.add_metric([status], counted.get(status, 0))
    return family


def _read_paused_providers() -> Metric:
    family = GaugeMetricFamily(
        "catfeeder_provider_paused",
        "1 for each provider whose renewals are paused or probed, 0 for those that failed before.",
        labels=["provider"],
    )
    with hold_connection():
        health = TAB_PROVIDER_HEALTH.load_all()
    for name, row in health.items():
        family.add_metric([name], row.state != HealthState.CLOSED)
    return family


def _read_undelivered_events() -> Metric:
    with hold_connection():
        count = TAB_EVENTS.count_undelivered()
    return GaugeMetricFamily(
        "catfeeder_events_undelivered", "Events that the webhook has yet to receive.", value=count
    )


class CountRequests:
    """ASGI middleware that counts and times each request by the route's pattern, not its path."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, then record its status and duration."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = "none"

        async def record_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        started = time.perf_counter()
        try:
            await self._app(scope, receive, record_status)
        finally:
            self._record(scope, status, time.perf_counter() - started)

    def _record(self, scope: Scope, status: str, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else _OTHER
        route = getattr(scope.get("route"), "path", _OTHER)
        self._metrics.requests.labels(method, route, status).inc()
        self._metrics.seconds.labels(route).observe(seconds)
