"""Figures of the benchmarks: their arithmetic, their table, and one benchmark that runs."""

from __future__ import annotations

import pytest

from benchmarks.jobs import sealed_send
from benchmarks.measuring.figures import (
    Figure,
    circumstances,
    milliseconds,
    percentile,
    spread,
    table,
)


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([3.0, 1.0, 2.0], 50, 2.0),
        ([float(value) for value in range(1, 101)], 99, 99.0),
        ([float(value) for value in range(1, 101)], 50, 50.0),
        ([7.0], 99, 7.0),
        ([7.0], 0, 7.0),
    ],
)
def test_a_percentile_is_one_of_the_values(
    values: list[float], percent: int, expected: float
) -> None:
    assert percentile(values, percent) == expected


def test_durations_are_described_by_median_and_tail() -> None:
    assert milliseconds([0.001] * 98 + [0.02, 0.5]) == "p50 1.0 ms, p99 20.0 ms"


def test_repeated_figures_have_their_spread() -> None:
    assert spread([3.0, 1.0, 2.5], ".1f", "/s") == "2.5 /s (1.0 to 3.0)"


def test_a_table_has_a_line_for_each_figure() -> None:
    lines = table([Figure("a send", "1 µs", "2 µs", 0.5, "1"), Figure("memory", "2 MB")])
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines.splitlines()]
    assert cells[0] == ["what", "measured", "beside it, in the same run", "ratio", "goal"]
    assert cells[2:] == [["a send", "1 µs", "2 µs", "0.50", "1"], ["memory", "2 MB", "", "", ""]]


def test_the_machine_and_the_versions_are_named() -> None:
    described = circumstances()
    assert " cores, " in described
    assert "dramatiq 2." in described


def test_sending_is_measured_beside_dramatiq() -> None:
    [figure] = sealed_send.measure(batches=1, sends=3)
    assert figure.ratio is not None
    assert "plain send" in figure.beside
