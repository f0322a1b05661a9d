"""Side tasks of the schedule's thread: what a scheduler publishes between its ticks."""

from __future__ import annotations

from dataclasses import dataclass

from worker.process_list import ProcessAnnouncer
from worker.queue.key_list import KeyListPublisher
from worker.telemetry.publishing import MetricsPublisher


@dataclass(frozen=True, slots=True)
class SideTasks:
    """What there is to publish; nothing, where there is no queue."""

    keys: KeyListPublisher | None = None
    announcer: ProcessAnnouncer | None = None
    metrics: MetricsPublisher | None = None

    def perform(self) -> None:
        """Publish what is due: the keys that serve, that this process runs, what it counted."""
        if self.keys is not None:
            self.keys.publish()
        if self.announcer is not None:
            self.announcer.announce()
        if self.metrics is not None:
            self.metrics.publish()

    def repeat(self) -> None:
        """Publish the keys again as they were, while the database may be away."""
        if self.keys is not None:
            self.keys.repeat()

    def end(self) -> None:
        """Take back at the end what says that the process runs."""
        if self.announcer is not None:
            self.announcer.withdraw()
        if self.metrics is not None:
            self.metrics.end()
