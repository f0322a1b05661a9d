"""The Prefer header, in all the ways that it is written."""

from __future__ import annotations

import pytest

from worker.http.handlers.preferences import parse_preferred_wait


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], None),
        (["wait=10"], 10),
        (["Wait = 10"], 10),
        (['wait="10"'], 10),
        (["respond-async, wait=10"], 10),
        (["respond-async", "wait=10"], 10),
        (["return=minimal; foo=bar, wait=5, wait=7"], 5),
        (["wait=0"], 0),
        (["wait=31"], 30),
        (["wait=999999999"], 30),
        (["wait=99999999999999999999"], 30),
        (["wait=-1"], None),
        (["wait=1.5"], None),
        (["wait=ten"], None),
        (["wait"], None),
        (["wait=¹"], None),
        (["handling=lenient"], None),
        (["await=10"], None),
    ],
)
def test_the_first_wait_counts(headers: list[str], seconds: int | None) -> None:
    assert parse_preferred_wait(headers) == seconds
