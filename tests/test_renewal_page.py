"""Tests that docs/renewal.md has a test for each guarantee, and the states of the code."""

from __future__ import annotations

import re
from typing import Final

from actors.audit import EventKind
from config import ROOT
from models.oauth.connections import ConnectionStatus

PAGE: Final = (ROOT / "docs" / "renewal.md").read_text()
GUARANTEES: Final = PAGE.partition("## Guarantees")[2]


def test_every_guarantee_names_a_test() -> None:
    lines = re.findall(r"^\| .* \|$", GUARANTEES, re.MULTILINE)[1:]

    assert len(lines) > 10
    assert [line for line in lines if "../tests/" not in line] == []


def test_the_picture_has_the_states_that_there_are() -> None:
    picture = PAGE.partition("```mermaid")[2].partition("```")[0]
    states = set(re.findall(r'state "(\w+)', picture))

    assert {str(status) for status in ConnectionStatus} - {"revoked"} <= states


def test_the_events_that_are_named_are_there() -> None:
    kinds = set(re.findall(r"kind=(\w+)", PAGE))

    assert kinds
    assert kinds <= {str(kind) for kind in EventKind}
