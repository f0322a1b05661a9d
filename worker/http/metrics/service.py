"""Metrics of the whole service: read from Redis and the database at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from actors.telemetry.series import label_provider
from catfeeder.clock import utc_now
from catfeeder.errors import QueueUnreachable
from catfeeder.queue.broker import SealedBroker
from models.db.database import hold_connection
from models.db.errors import DatabaseUnreachable
from models.events import TAB_EVENTS
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.provider_health import TAB_PROVIDER_HEALTH, HealthState
from worker.http.metrics.totals import build_families
from worker.queue.report import describe_queues
from worker.telemetry.totals import read_totals

Read = Callable[[], Iterator[Metric]]


class ServiceCollector(Collector):
    """Collects what is one for the whole service, whichever process is asked."""

    def __init__(self, broker: SealedBroker) -> None:
        self._broker = broker

    def describe(self) -> list[Metric]:
        """Return nothing, so that registering reads nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield each family; those of a part that is away are left out."""
        with suppress(QueueUnreachable):
            yield from build_families(read_totals(self._broker.client))
            yield from _read_queues(self._broker)
        with suppress(DatabaseUnreachable):
            for read in _OF_THE_DATABASE:
                with hold_connection():
                    family = read()
                yield family


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
    counted = TAB_CONNECTIONS.count_by_status()
    for status in ConnectionStatus:
        family.add_metric([status], counted.get(status, 0))
    return family


def _read_paused_providers() -> Metric:
    family = GaugeMetricFamily(
        "catfeeder_provider_paused",
        "1 for each provider whose renewals are paused or probed, 0 for those that failed before; "
        "the apps' own providers together are of_an_app.",
        labels=["provider"],
    )
    paused: dict[str, bool] = {}
    for name, row in TAB_PROVIDER_HEALTH.load_all().items():
        label = label_provider(name)
        paused[label] = paused.get(label, False) or row.state != HealthState.CLOSED
    for label, is_paused in paused.items():
        family.add_metric([label], is_paused)
    return family


def _read_undelivered_events() -> Metric:
    return GaugeMetricFamily(
        "catfeeder_events_undelivered",
        "Events that the webhook has yet to receive.",
        value=TAB_EVENTS.count_undelivered(),
    )


_OF_THE_DATABASE: Final = (_read_connections, _read_paused_providers, _read_undelivered_events)
