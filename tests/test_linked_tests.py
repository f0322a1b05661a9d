"""Links of docs/ to tests: each leads to a test that there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from config import ROOT
from tests.collected import NamedTest, missing

_LINK: Final = re.compile(r'\[[^]]+\]\((\.\./tests/[^ )]+) "([^"]+)"\)')
#: The pages that prove what they say by tests.
_PAGES: Final = {"conformance", "grants", "passwords", "providers", "queue", "renewal", "security"}


def _named_by(page: Path) -> set[NamedTest]:
    links = _LINK.findall(page.read_text())
    return {((page.parent / path).resolve(), test) for path, test in links}


def test_every_test_that_a_page_names_is_there(request: pytest.FixtureRequest) -> None:
    named = {page.stem: _named_by(page) for page in (ROOT / "docs").glob("*.md")}

    assert {stem for stem, tests in named.items() if len(tests) > 20} == _PAGES
    assert missing(set().union(*named.values()), request.session) == set()
