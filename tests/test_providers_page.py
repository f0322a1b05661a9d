"""Tests that docs/providers.md agrees with presets.toml, and that each cell names a test."""

from __future__ import annotations

import re
from typing import Final

import pytest

from actors.providers.config.schema.body import ProviderSettings
from actors.providers.protocol.provider_builder import presets
from config import ROOT

PAGE: Final = (ROOT / "docs" / "providers.md").read_text()
_CELL: Final = re.compile(r'\[([^]]+)\]\(([^ )]+) "([^"]+)"\)')
_RENEWALS: Final = {"refresh_token": "refresh token", "access_token": "token exchanged"}
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
    "none": "no way to",
}


def rows() -> list[list[str]]:
    """Return the cells of all rows that link to tests."""
    lines = re.findall(r"^\| (.*) \|$", PAGE, re.MULTILINE)
    cells = [line.split(" | ") for line in lines]
    return [row for row in cells if any(_CELL.search(cell) for cell in row)]


def by_preset() -> dict[str, list[str]]:
    """Return the other cells of each preset's row, without their links."""
    known = [row for row in rows() if re.fullmatch(r"`\w+`", row[0])]
    return {row[0].strip("`"): [_CELL.sub(r"\1", cell) for cell in row[1:]] for row in known}


def test_every_preset_has_its_row_and_chapter() -> None:
    assert list(by_preset()) == list(presets())
    assert re.findall(r"^### .* \(`(\w+)`\)$", PAGE, re.MULTILINE) == list(presets())


@pytest.mark.parametrize("preset", presets())
def test_a_row_agrees_with_the_preset(preset: str) -> None:
    client, pkce, renewal, trust, revocation, _ = by_preset()[preset]
    known = presets()[preset]

    assert client == f"`{known['token_endpoint_auth_method']}`"
    assert pkce == ("on" if known.get("code_challenge_method", "S256") == "S256" else "off")
    # LinkedIn gives refresh tokens to partners only.
    usual = _RENEWALS[known.get("renewal", "refresh_token")]
    assert renewal.startswith("none" if preset == "linkedin" else usual)
    assert trust == _TRUST[known.get("email_trust", "claim")]
    way = _REVOCATIONS[known.get("revocation", "rfc7009")]
    assert revocation == way
    assert ("revocation_endpoint" in known) == (known.get("revocation") != "none")


def test_every_setting_stands_on_a_page() -> None:
    text = PAGE + (ROOT / "docs" / "grants.md").read_text()
    named = set(re.findall(r"[`\"]([a-z_]+)[`\":]", text))
    assert sorted(ProviderSettings.model_fields.keys() - named) == []


def test_each_cell_names_a_test() -> None:
    for row in rows():
        for cell in row[1:]:
            assert _CELL.findall(cell), cell
            assert _CELL.sub("", cell).strip(", ") == "", cell
