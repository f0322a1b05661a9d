"""Text of docs/catalogue.md, made from the catalogue's data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from actors.providers.catalogue.presets import read_all
from actors.providers.catalogue.search import needs_of, title_of
from actors.providers.protocol.provider_builder import presets
from config import ROOT, credential_variable
from tests.catalogue.counts import FIRST_COUNT, count_by_catalogue
from tests.catalogue.generate import explain_left_out

PAGE: Final = ROOT / "docs" / "catalogue.md"
_COUNTS: Final = (
    "Of the providers that each catalogue states: those that demand nothing which a provider's "
    "settings could not say before there was a catalogue, and those that have a preset now, which "
    "the harness runs (`make catalogue`). "
    f"The six read by hand were first counted as {FIRST_COUNT}."
)
_HEAD: Final = Path(__file__).parent / "page_head.md"


def write_page() -> str:
    """Return the page: what a preset of the catalogue is, and a row for each."""
    rows = list(read_all())
    disputed = sum(bool(about.get("disagreements")) for _, _, about in rows)
    head = _HEAD.read_text(encoding="utf-8").format(count=len(rows), disputed=disputed)
    lines = [_row(*row) for row in rows]
    said = {name for name, _, _ in rows} | {name.replace("_", "-") for name in presets()}
    counts = [f"| {' | '.join(map(str, one))} |" for one in count_by_catalogue(said)]
    reasons = [f"| `{name}` | {reason} |" for name, reason in sorted(explain_left_out().items())]
    return "\n".join(
        [
            *(head.rstrip(), "", "## The presets", ""),
            "| preset | provider | set up by | needs besides | stated by | disputed |",
            "|---|---|---|---|---|---|",
            *lines,
            *("", "## Counts by catalogue", "", _COUNTS, ""),
            *("| catalogue | providers | could be said before | have a preset that passes |",),
            *("|---|---|---|---|", *counts),
            *("", "## Left out", "", "| provider | why |", "|---|---|"),
            *reasons,
            "",
        ]
    )


def _row(name: str, settings: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    needs = [f"`{one}`" for one in needs_of(settings)]
    needs += [f"{one} of each user" for one in settings.get("variables", {})]
    stated = ", ".join(about.get("stated_by", ["presets.toml"]))
    disputed = sorted({str(one["setting"]) for one in about.get("disagreements", ())})
    cells = (
        f"`{name}`",
        title_of(name, about).replace("|", "/"),
        f"`{credential_variable(name, 'CLIENT_ID')}`",
        ", ".join(needs),
        stated,
        ", ".join(disputed),
    )
    return f"| {' | '.join(cells)} |"
