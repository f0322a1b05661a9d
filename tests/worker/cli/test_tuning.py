"""Calibration from the command line."""

from __future__ import annotations

import json

import pytest

from actors.passwords.calibration import Measurement, choose_best
from worker.__main__ import main


@pytest.mark.usefixtures("settings")
def test_tune_names_what_stays_within_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    # When this machine is measured, for a time that bcrypt of ten rounds surely takes
    assert main(["passwords", "tune", "--target-ms", "1", "--json"]) == 1
    said = capsys.readouterr()
    found = json.loads(said.out)
    # Then every set within the memory is measured, and one of bcrypt, which was too slow
    names = [(item["scheme"], item["memory_mib"]) for item in found["items"]]
    assert sorted(names) == [
        *(("argon2id", mib) for mib in (7, 9, 12, 19, 46, 64)),
        ("bcrypt", 0),
    ]
    assert all(item["hashes_per_second"] > 0 and not item["fits"] for item in found["items"])
    # And nothing is named
    assert found["best"] == []
    assert "1 ms" in said.err


def test_of_each_scheme_the_slowest_that_fits_is_named() -> None:
    measured = [
        Measurement("bcrypt", "rounds = 10", 60, 60, 0),
        Measurement("bcrypt", "rounds = 11", 120, 120, 0),
        Measurement("bcrypt", "rounds = 12", 240, 240, 0),
        Measurement("argon2id", 'argon2 = "owasp-7-mib"', 30, 30, 7),
        Measurement("argon2id", 'argon2 = "rfc9106-64-mib"', 130, 300, 64),
    ]
    best = [found.parameters for found in choose_best(measured, 200)]
    assert best == ["rounds = 11", 'argon2 = "rfc9106-64-mib"']
