"""Tests that docs/queue.md names tests that there are, one at least for each promise."""

from __future__ import annotations

import re
from typing import Final

import pytest

from config import ROOT
from tests.collected import missing

_PATH: Final = ROOT / "docs" / "queue.md"
PAGE: Final = _PATH.read_text()


def test_every_test_that_is_named_is_there(request: pytest.FixtureRequest) -> None:
    links = re.findall(r'\[[^]]+\]\((\.\./tests/[^ )]+) "([^"]+)"\)', PAGE)
    named = {((_PATH.parent / path).resolve(), test) for path, test in links}

    assert len(links) > 20
    assert missing(named, request.session) == set()
