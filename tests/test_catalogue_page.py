"""Tests that docs/catalogue.md is what the catalogue's data says."""

from __future__ import annotations

from actors.providers.catalogue.presets import read_all
from actors.providers.protocol.provider_builder import presets
from tests.catalogue.counts import count_by_catalogue
from tests.catalogue.page import PAGE, write_page


def test_the_six_catalogues_that_were_read_by_hand_are_nearly_covered() -> None:
    said = {name for name, _, _ in read_all()} | {name.replace("_", "-") for name in presets()}
    [six] = [one for one in count_by_catalogue(said) if one.catalogue == "read by hand"]
    assert six.stated == 494
    assert six.now >= 483


def test_the_page_is_in_step_with_the_catalogue() -> None:
    remedy = "write it anew: python -m tests.catalogue page"
    assert PAGE.read_text(encoding="utf-8") == write_page(), remedy
