"""Table of the harness: what each preset passes, and the counts by catalogue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

import pytest

from tests.catalogue import test_catalogue
from tests.catalogue.demands import read_demands
from tests.catalogue.generate import explain_left_out
from tests.catalogue.harness import Outcome

#: Those that were read by hand; the others were read by machine.
BY_HAND: Final = ("nango", "allauth", "social-core", "auth.js", "better-auth", "arctic")
#: How many providers of those six fitted a row before there was a catalogue.
_BEFORE: Final = (247, 523)
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
    stated = {name: demands.facts["catalogues"] for name, demands in read_demands().items()}
    by_hand = {name.replace("_", "-") for name in test_catalogue.BY_HAND} | test_catalogue.BY_HAND
    passed = {one.name for one in outcomes if one.has_passed} | by_hand & set(stated)
    whole, well = Counter[str](), Counter[str]()
    for name, catalogues in stated.items():
        whole.update(catalogues)
        well.update(catalogues if name in passed else ())
    print(f"\n{'catalogue':<14}{'stated':>8}{'preset that passes':>20}")
    for catalogue in (*BY_HAND, *sorted(set(whole) - set(BY_HAND))):
        print(f"{catalogue:<14}{whole[catalogue]:>8}{well[catalogue]:>20}")
    six = {name for name, catalogues in stated.items() if set(catalogues) & set(BY_HAND)}
    without = len(explain_left_out())
    print(f"\nOf {len(stated)} providers {len(passed)} have a preset that passes.")
    print(f"{without} have none of their name, each for a reason: docs/catalogue.md has it.")
    print(f"Read by hand, six catalogues: {len(six & passed)} of {len(six)}.")
    before, of = _BEFORE
    print(f"Before there was a catalogue {before} of {of} fitted a row; not all are among these.")
