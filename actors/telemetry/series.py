"""Metrics in memory: counters and histograms of this process, drained into the service's totals.

An increment costs a dictionary look-up under a lock, and nothing is sent: a publisher drains what
came together every few seconds. The values of a label are bounded, whatever a caller sends.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Mapping
from typing import Final, NamedTuple

#: What stands for a label's value beyond the bound, and for one that nothing here knows.
OTHER: Final = "other"
#: How many sets of labels one metric has in a process, at most.
_MAX_LABEL_SETS: Final = 300
_MAX_LABEL_LENGTH: Final = 64
#: Part of a histogram that sums its observations; its buckets are named by their upper bound.
SUM: Final = "sum"
INFINITY: Final = "+Inf"
_COUNT: Final = ""


class Series(NamedTuple):
    """One number: a metric with its labels, and of a histogram the bucket or the sum."""

    metric: str
    labels: tuple[str, ...]
    part: str = _COUNT


class Unsent:
    """What was counted since it was last drained; safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._amounts: dict[Series, float] = {}

    def add(self, series: Series, amount: float) -> None:
        """Add to a number."""
        with self._lock:
            self._amounts[series] = self._amounts.get(series, 0) + amount

    def observe(self, bucket: Series, total: Series, seconds: float) -> None:
        """Count one observation in its bucket, and add it to the sum."""
        with self._lock:
            amounts = self._amounts
            amounts[bucket] = amounts.get(bucket, 0) + 1
            amounts[total] = amounts.get(total, 0) + seconds

    def drain(self) -> Mapping[Series, float]:
        """Return what there is, and begin anew."""
        with self._lock:
            drained, self._amounts = self._amounts, {}
        return drained


#: Of this process.
UNSENT: Final = Unsent()


class Metric:
    """What counters and histograms share: a name, its labels, and the bound of their values."""

    def __init__(
        self, name: str, text: str, labels: tuple[str, ...], begun: tuple[tuple[str, ...], ...] = ()
    ) -> None:
        """`begun` are the label sets that are shown as 0 before anything was counted.

        Without a first 0 Prometheus sees no increase in the first failure.
        """
        self.name = name
        self.text = text
        self.labels = labels
        self.begun = begun
        self._known: set[tuple[str, ...]] = set()

    def _bound(self, values: tuple[str, ...]) -> tuple[str, ...]:
        """Return the label set to count under."""
        if values in self._known:
            return values
        if len(self._known) >= _MAX_LABEL_SETS:
            return (OTHER,) * len(values)
        if max(map(len, values), default=0) > _MAX_LABEL_LENGTH:
            return self._bound(tuple(value[:_MAX_LABEL_LENGTH] for value in values))
        self._known.add(values)
        return values


class Counter(Metric):
    """Counts what only grows; Prometheus shows it as `<name>_total`."""

    def inc(self, *values: str, amount: float = 1) -> None:
        """Count one more, or `amount`, under the values of the labels."""
        UNSENT.add(Series(self.name, self._bound(values)), amount)


class Histogram(Metric):
    """Counts durations by buckets of seconds."""

    def __init__(
        self, name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...]
    ) -> None:
        super().__init__(name, text, labels)
        self.buckets = buckets
        self.parts = (*map(str, buckets), INFINITY)

    def observe(self, seconds: float, *values: str) -> None:
        """Count a duration under the values of the labels."""
        labels = self._bound(values)
        part = self.parts[bisect_left(self.buckets, seconds)]
        UNSENT.observe(
            Series(self.name, labels, part), Series(self.name, labels, SUM), max(seconds, 0)
        )


def label_provider(name: str) -> str:
    """Return the label of a provider: its name where apps share it, else one for all apps' own."""
    return "of_an_app" if "/" in name else name
