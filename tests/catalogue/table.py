"""Table of the harness: what each preset passes, and the counts by catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pytest

from tests.catalogue import test_catalogue
from tests.catalogue.counts import FIRST_COUNT, count_by_catalogue
from tests.catalogue.generate import explain_left_out
from tests.catalogue.harness import Outcome

_STEPS: Final = ("authorization", "exchange", "renewal", "identity")


def print_table() -> int:
    """Run the harness, print what came of each preset, and return 1 where one has failed."""
    status = pytest.main(["-q", "-p", "no:cacheprovider", "--tb=no", test_catalogue.__file__])
    outcomes = sorted(test_catalogue.OUTCOMES.values(), key=lambda one: one.name)
    for one in outcomes:
        print(_row(one))
    _print_counts(outcomes)
    return int(status)


def _row(one: Outcome) -> str:
    marks = "  ".join(f"{step if step in one.steps else '-':<13}" for step in _STEPS)
    end = one.failure or (f"waits for {', '.join(one.pending)}" if one.pending else "passes")
    return f"{one.name:<45}  {marks}  {end}"


def _print_counts(outcomes: Iterable[Outcome]) -> None:
    by_hand = {name.replace("_", "-") for name in test_catalogue.BY_HAND} | test_catalogue.BY_HAND
    passed = {one.name for one in outcomes if one.has_passed} | by_hand
    print(f"\n{'catalogue':<14}{'stated':>8}{'could be said before':>22}{'passes now':>12}")
    for one in count_by_catalogue(passed):
        print(f"{one.catalogue:<14}{one.stated:>8}{one.before:>22}{one.now:>12}")
    without = len(explain_left_out())
    print(f"\n{without} have no preset of their name, each for a reason: docs/catalogue.md has it.")
    print(f"The six that were read by hand, at the first count before: {FIRST_COUNT}.")
