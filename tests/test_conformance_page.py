"""Tests that docs/conformance.md names each module of the plans, and our test under its name."""

from __future__ import annotations

import ast
import re
from typing import Final

from config import ROOT

_PAGE: Final = ROOT / "docs" / "conformance.md"
_TESTS: Final = ROOT / "tests" / "worker" / "http" / "sign_ins" / "scripted" / "test_conformance.py"
_ROW: Final = re.compile(r"^\| ([^|]+) \| `([a-z0-9-]+)` \| [^|]+ \| (.+) \|$", re.MULTILINE)
_LINK: Final = re.compile(r'\[[^]]+\]\(([^ )]+) "([^"]+)"\)')
#: How many modules each plan has.
_PLANS: Final = {
    "Basic": 14,
    "Form Post Basic": 15,
    "Config": 5,
    "Refresh Token": 3,
    "Third-party-initiated login": 1,
}


def _rows() -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Return the plan, the module and the links of each row."""
    return [
        (plan, module, _LINK.findall(cell))
        for plan, module, cell in _ROW.findall(_PAGE.read_text())
    ]


def test_each_plan_has_all_its_modules() -> None:
    plans = [plan for plan, _, _ in _rows()]
    assert {plan: plans.count(plan) for plan in plans} == _PLANS


def test_each_module_has_a_test_of_its_name() -> None:
    for _, module, links in _rows():
        assert links, module
        for file, test in links:
            assert (_PAGE.parent / file).resolve() == _TESTS
            assert test.partition("[")[0] == f"test_{module.replace('-', '_')}"


def test_each_test_of_a_module_is_on_the_page() -> None:
    functions = [
        one for one in ast.parse(_TESTS.read_text()).body if isinstance(one, ast.FunctionDef)
    ]
    tests = {one.name for one in functions if one.name.startswith("test_")}
    assert tests == {f"test_{module.replace('-', '_')}" for _, module, _ in _rows()}
