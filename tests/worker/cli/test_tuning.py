"""Calibration from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from actors.passwords.breaches.lists import find_breach
from actors.passwords.calibration import Measurement, choose_best
from config import PasswordsSettings
from tests.actors.passwords.breaches.made_lists import list_lines, write_file
from worker.__main__ import main


@pytest.mark.usefixtures("settings")
def test_tune_names_what_stays_within_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    # When this machine is measured, for a time that bcrypt of ten rounds surely takes
    assert main(["passwords", "tune", "--target-ms", "1", "--json"]) == 1
    said = capsys.readouterr()
    found = json.loads(said.out)
    # Then every set within the memory is measured, and one of bcrypt, which was too slow
    names = [(item["scheme"], item["memory_mib"]) for item in found["items"]]
    assert sorted(names) == [*(("argon2id", mib) for mib in (7, 9, 12, 19, 46, 64)), ("bcrypt", 0)]
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


@pytest.mark.usefixtures("settings")
def test_a_filter_of_a_breach_list_is_built_with_progress(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # Given a list, when its filter is built
    source = write_file(tmp_path / "hashes", list_lines())
    command = ["passwords", "build-breach-filter", str(source), "--minimum-count", "7"]
    assert main([*command, "--json"]) == 0
    said = capsys.readouterr()
    built = json.loads(said.out)
    # Then it stands beside the list, with the setting that names it
    assert built["file"] == f"{source}.filter"
    assert 25_000 < built["entries"] < 27_000
    assert built["bytes"] == Path(built["file"]).stat().st_size
    assert f'breach_list = "{source}.filter"' in said.err
    hit = find_breach(
        b"correct horse", PasswordsSettings(breach_list=built["file"]), asks_server=False
    )
    assert hit
    # And what is no list is refused by a sentence
    (tmp_path / "words").write_text("password1")
    assert main(["passwords", "build-breach-filter", str(tmp_path / "words")]) == 1
    assert "has a line that is not HASH:count" in capsys.readouterr().err
