"""Chart of renewals: bars by minute as SVG attributes, and the same as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from worker.http.console.overview.counts import RenewalMinute

WIDTH: Final = 600
HEIGHT: Final = 100
_GAP: Final = 2
_ROW_MINUTES: Final = 5


class Bar(NamedTuple):
    """One rectangle of the chart."""

    kind: str
    x: float
    y: float
    width: float
    height: float


class Row(NamedTuple):
    """Some minutes as a row of the table."""

    since: datetime
    done: int
    failed: int


class Chart(NamedTuple):
    """The chart: what is drawn, what the table says, and the sums."""

    bars: list[Bar]
    rows: list[Row]
    highest: int
    done: int
    failed: int


def draw_chart(minutes: Sequence[RenewalMinute]) -> Chart:
    """Return the chart of some minutes; the failed stand on top of the done."""
    highest = max((each.done + each.failed for each in minutes), default=0)
    step = WIDTH / max(len(minutes), 1)
    bars: list[Bar] = []
    for place, minute in enumerate(minutes):
        top = float(HEIGHT)
        for kind, count in (("done", minute.done), ("failed", minute.failed)):
            if count:
                # At least a line, however few they are beside others.
                height = max(count / highest * HEIGHT, 1)
                top -= height
                bars.append(Bar(kind, round(place * step, 2), round(top, 2), step - _GAP, height))
    rows = [
        _sum_row(minutes[place : place + _ROW_MINUTES])
        for place in range(0, len(minutes), _ROW_MINUTES)
    ]
    done, failed = sum(each.done for each in minutes), sum(each.failed for each in minutes)
    return Chart(bars, rows, highest, done, failed)


def _sum_row(minutes: Sequence[RenewalMinute]) -> Row:
    return Row(
        minutes[0].since, sum(each.done for each in minutes), sum(each.failed for each in minutes)
    )
