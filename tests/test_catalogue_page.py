"""Tests that docs/catalogue.md is what the catalogue's data says."""

from __future__ import annotations

from tests.catalogue.page import PAGE, write_page


def test_the_page_is_in_step_with_the_catalogue() -> None:
    remedy = "write it anew: python -m tests.catalogue page"
    assert PAGE.read_text(encoding="utf-8") == write_page(), remedy
