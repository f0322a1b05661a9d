"""Tests that docs/providers.md tells what the presets say, and names a test for each cell."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from actors.providers.provider import presets
from config import ROOT

_PATH: Final = ROOT / "docs" / "providers.md"
PAGE: Final = _PATH.read_text()
_CELL: Final = re.compile(r'\[([^]]+)\]\(([^ )]+) "([^"]+)"\)')
_RENEWALS: Final = {"refresh_token": "refresh token", "fb_exchange_token": "token exchanged"}
_TRUST: Final = {
    "claim": "as it says",
    "explicit": "if it says so",
    "present": "always, or none is given",
    "never": "never",
}
_REVOCATIONS: Final = {
    "rfc7009": "RFC 7009",
    "github_grant": "`DELETE` grant",
    "facebook_permissions": "`DELETE` permissions",
    "slack": "`auth.revoke`",
}


def rows() -> list[list[str]]:
    """Return the cells of all tables, but for the headings."""
    lines = re.findall(r"^\| (.*) \|$", PAGE, re.MULTILINE)
    cells = [line.split(" | ") for line in lines]
    return [row for row in cells if any(_CELL.search(cell) for cell in row)]


def by_preset() -> dict[str, list[str]]:
    """Return the other cells of the table of the presets, as they are read."""
    known = [row for row in rows() if re.fullmatch(r"`\w+`", row[0])]
    return {row[0].strip("`"): [_CELL.sub(r"\1", cell) for cell in row[1:]] for row in known}


def test_every_preset_has_its_row_and_chapter() -> None:
    assert list(by_preset()) == list(presets())
    assert re.findall(r"^### .* \(`(\w+)`\)$", PAGE, re.MULTILINE) == list(presets())


@pytest.mark.parametrize("preset", presets())
def test_a_row_tells_what_the_preset_says(preset: str) -> None:
    client, pkce, renewal, trust, revocation, _ = by_preset()[preset]
    known = presets()[preset]

    assert client == f"`{known['token_endpoint_auth_method']}`"
    assert pkce == ("on" if known.get("code_challenge_method", "S256") == "S256" else "off")
    # LinkedIn gives refresh tokens to its partners alone.
    usual = _RENEWALS[known.get("renewal", "refresh_token")]
    assert renewal.startswith("none" if preset == "linkedin" else usual)
    assert trust == _TRUST[known.get("email_trust", "claim")]
    way = _REVOCATIONS[known.get("revocation", "rfc7009")]
    assert revocation == (way if "revocation_endpoint" in known else "no way to")


def test_each_cell_names_a_test_that_there_is() -> None:
    named = set()
    for row in rows():
        for cell in row[1:]:
            links = _CELL.findall(cell)
            assert links, cell
            assert _CELL.sub("", cell).strip(", ") == "", cell
            named |= {(path, test) for _, path, test in links}
    files = {path: (_PATH.parent / path).resolve() for path, _ in named}
    there = collected(sorted(set(files.values())))

    missing = {(path, test) for path, test in named if (files[path], test) not in there}
    assert not missing


def collected(paths: list[Path]) -> set[tuple[Path, str]]:
    """Return the tests of files as pytest finds them, with and without their parameters."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "--no-header",
        *map(str, paths),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = set()
    for line in done.stdout.splitlines():
        path, _, test = line.partition("::")
        if test:
            found |= {(ROOT / path, test), (ROOT / path, test.partition("[")[0])}
    return found


def test_adding_a_provider_takes_ten_lines_at_most() -> None:
    chapter = re.search(r"^## Add a provider$(.*?)^## ", PAGE, re.DOTALL | re.MULTILINE)

    assert chapter is not None
    assert len([line for line in chapter[1].splitlines() if line.strip()]) <= 10
