"""Sentences of the pages: a name turns nothing but itself, and fills no other place."""

from __future__ import annotations

import pytest

from worker.http.pages.sentences import fill

_RLO, _FSI, _PDI = "\u202e", "\u2068", "\u2069"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ada & Co", "Ada & Co"),
        (f"{_RLO}evil", f"{_FSI}{_RLO}evil{_PDI}"),
        ("\u05d7\u05ea\u05d5\u05dc", f"{_FSI}\u05d7\u05ea\u05d5\u05dc{_PDI}"),
        (f"a{_PDI}{_RLO}b", f"{_FSI}a{_RLO}b{_PDI}"),
        (f"a{_FSI}b", f"{_FSI}a{_FSI}b{_PDI}{_PDI}"),
        ("{provider}", "{provider}"),
    ],
    ids=["plain", "override", "hebrew", "early-end", "no-end", "place"],
)
def test_a_name_turns_nothing_but_itself(name: str, shown: str) -> None:
    filled = fill("{app} asks for {provider}.", app=name, provider="House")
    assert filled == f"{shown} asks for House."
