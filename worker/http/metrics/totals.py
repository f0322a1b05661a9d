"""Metric families of what all processes have counted, in the form that Prometheus scrapes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from actors.telemetry import series
from actors.telemetry.metrics import METRICS
from actors.telemetry.series import INFINITY, SUM, Histogram, Series
from worker.telemetry.process_figures import ProcessFigures
from worker.telemetry.totals import Totals


def build_families(totals: Totals) -> Iterator[Metric]:
    """Yield the counters and histograms of the service, and the figures of its processes."""
    amounts: defaultdict[str, dict[Series, float]] = defaultdict(dict)
    for one, amount in totals.amounts.items():
        amounts[one.metric][one] = amount
    for name, metric in METRICS.items():
        build = _build_histogram if isinstance(metric, Histogram) else _build_counter
        yield build(metric, amounts[name])
    yield from _build_figures(totals)


def _build_counter(metric: series.Metric, amounts: Mapping[Series, float]) -> Metric:
    family = CounterMetricFamily(metric.name, metric.text, labels=metric.labels)
    by_labels = {**dict.fromkeys(metric.begun, 0.0), **{it.labels: n for it, n in amounts.items()}}
    for labels, amount in sorted(by_labels.items()):
        family.add_metric(labels, amount)
    return family


def _build_histogram(metric: series.Metric, amounts: Mapping[Series, float]) -> Metric:
    family = HistogramMetricFamily(metric.name, metric.text, labels=metric.labels)
    by_labels: defaultdict[tuple[str, ...], dict[str, float]] = defaultdict(dict)
    for one, amount in amounts.items():
        by_labels[one.labels][one.part] = amount
    for labels, parts in sorted(by_labels.items()):
        family.add_metric(labels, _accumulate(metric, parts), parts.get(SUM, 0.0))
    return family


def _accumulate(metric: series.Metric, parts: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return each bucket's upper bound with the count up to it.

    What another release has counted in a bucket that there is no more falls into the next one.
    """
    counts = sorted((_read_bound(part), n) for part, n in parts.items() if part != SUM)
    bounds = metric.parts if isinstance(metric, Histogram) else (INFINITY,)
    return [(bound, sum(n for at, n in counts if at <= _read_bound(bound))) for bound in bounds]


def _read_bound(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("inf")


def _build_figures(totals: Totals) -> Iterator[Metric]:
    by_role: defaultdict[str, list[ProcessFigures]] = defaultdict(list)
    for process in totals.processes:
        by_role[process["role"]].append(process)
    for name, text, compute in _FIGURES:
        family = GaugeMetricFamily(f"catfeeder_{name}", text, labels=["role"])
        for role, processes in sorted(by_role.items()):
            family.add_metric([role], compute(processes))
        yield family


def _find_fullest(processes: list[ProcessFigures]) -> float:
    return max(it["open_files"] / (it["open_files_limit"] or float("inf")) for it in processes)


_FIGURES: Final = (
    ("processes", "Processes that run, by their line of the Procfile.", len),
    (
        "process_resident_memory_bytes",
        "Memory of all processes of a line; what they share counts in each.",
        lambda processes: sum(it["memory_bytes"] for it in processes),
    ),
    (
        "process_largest_resident_memory_bytes",
        "Memory of the largest process of a line.",
        lambda processes: max(it["memory_bytes"] for it in processes),
    ),
    (
        "process_open_fds",
        "Open files and connections of all processes of a line.",
        lambda processes: sum(it["open_files"] for it in processes),
    ),
    (
        "process_open_fds_ratio",
        "Share of its limit of open files that the fullest process of a line uses.",
        _find_fullest,
    ),
)
