"""Counts by catalogue: how many of its providers a row could say before, and have a preset now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from typing import Final, NamedTuple

from tests.catalogue.demands import read_demands

#: Those that were read by hand; the others were read by machine.
BY_HAND: Final = ("nango", "allauth", "social-core", "auth.js", "better-auth", "arctic")
#: How the six of these were counted at first, before their providers were matched by hand.
FIRST_COUNT: Final = "247 of 523"


class Count(NamedTuple):
    """The providers that one catalogue states, and how many of them can be said."""

    catalogue: str
    stated: int
    before: int
    now: int


def count_by_catalogue(said: Set[str]) -> list[Count]:
    """Return the count of each catalogue, then that of the six, and of all; `said` have a preset.

    Before, a row could say what demands nothing that the cross-check of the facts found lacking.
    """
    whole, before, now = Counter[str](), Counter[str](), Counter[str]()
    for name, demands in read_demands().items():
        catalogues = [*demands.facts["catalogues"], "all"]
        catalogues += ["read by hand"] if set(catalogues) & set(BY_HAND) else []
        whole.update(catalogues)
        before.update(() if demands.facts.get("lacking") else catalogues)
        now.update(catalogues if name in said else ())
    others = sorted(set(whole) - {*BY_HAND, "all", "read by hand"})
    order = (*BY_HAND, "read by hand", *others, "all")
    return [Count(one, whole[one], before[one], now[one]) for one in order]
