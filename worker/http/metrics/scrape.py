"""Scrape: which metrics a web process answers with, so that sums over all of them are right.

Each process has counters of its own. What is one for the whole service is answered by one process
at a time, the oldest that lives; the others leave it out.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from prometheus_client import CollectorRegistry, generate_latest

from catfeeder.errors import QueueUnreachable
from catfeeder.queue.broker import SealedBroker
from worker.http.metrics.requests import RequestMetrics
from worker.http.metrics.service import ServiceCollector
from worker.process_list import ProcessAnnouncer
from worker.telemetry.process_figures import WEB
from worker.telemetry.publishing import MetricsPublisher


class Part(StrEnum):
    """What a scrape asks for; both where it says nothing, as far as this process has it."""

    PROCESS = "process"
    SERVICE = "service"


class Metrics(RequestMetrics):
    """All metrics that a web process answers with."""

    def __init__(self, broker: SealedBroker, waiting: Callable[[], int]) -> None:
        """`waiting` returns how many requests of this process wait for a job."""
        super().__init__(waiting)
        self.announcer = ProcessAnnouncer(broker.client, WEB)
        self.publisher = MetricsPublisher(broker.client, WEB)
        self._service = CollectorRegistry()
        self._service.register(ServiceCollector(broker))
        self._is_oldest = True

    def text(self, part: Part | None = None) -> bytes:
        """Return metrics in Prometheus's text format; reads Redis and the database."""
        texts = []
        if part is not Part.SERVICE:
            texts.append(generate_latest(self.registry))
        if part is Part.SERVICE or (part is None and self._answers_for_service()):
            self.publisher.publish_now()
            texts.append(generate_latest(self._service))
        return b"".join(texts)

    def _answers_for_service(self) -> bool:
        """Return whether this process is the one; as at the last scrape while Redis is away."""
        try:
            self._is_oldest = self.announcer.is_oldest()
        except QueueUnreachable:
            return self._is_oldest
        return self._is_oldest

    def announce(self) -> None:
        """Say that this process runs, and publish what it has counted, every few seconds."""
        self.announcer.announce()
        self.publisher.publish()

    def end(self) -> None:
        """Publish for the last time, and count as running no more."""
        self.publisher.end()
        self.announcer.withdraw()
