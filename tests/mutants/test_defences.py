"""Tests that the mutants are of the code as it is, and that docs/security.md lists each."""

from __future__ import annotations

import pytest

from config import ROOT
from tests.collected import missing
from tests.mutants.__main__ import read_mutants

_PAGE = (ROOT / "docs" / "security.md").read_text()


def test_each_mutant_changes_what_is_there_and_is_listed() -> None:
    mutants = read_mutants()
    assert len(mutants) >= 20
    texts = {mutant["file"]: (ROOT / mutant["file"]).read_text() for mutant in mutants}
    stale = [each["name"] for each in mutants if texts[each["file"]].count(each["old"]) != 1]
    assert stale == []
    assert [each["name"] for each in mutants if f"| {each['name']} |" not in _PAGE] == []


def test_each_mutant_names_tests_that_there_are(request: pytest.FixtureRequest) -> None:
    named = {
        ((ROOT / path).resolve(), test)
        for mutant in read_mutants()
        for path, _, test in (name.partition("::") for name in mutant["tests"])
        if test
    }
    assert missing(named, request.session) == set()
