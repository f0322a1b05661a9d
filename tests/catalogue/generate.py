"""Generator of the catalogue's presets from facts that public catalogues state.

Presets that are there already stay as they are, edited by hand or not: a new list of facts adds to
them. `--anew` writes all of them again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from actors.providers.catalogue.presets import file_of
from tests.catalogue.errors import LeftOut
from tests.catalogue.mapping import write_settings
from tests.catalogue.presets_text import HEAD, join_presets, split_presets, write_preset

#: The facts that a preset was made of, for the harness, which demands what they say.
FACTS_FILE: Final = Path(__file__).parent / "facts.jsonl"
#: Tags of what a preset leaves out and works without.
_NOT_SAID: Final = ("E_CHAIN", "P_NAME", "R_TWO", "E_TOKENRESP", "E_LIST")
_NO_FACTS: Final = ("keys", "sources", "confidence", "scopes_listed_by_nango")


def generate(facts_file: Path, *, anew: bool = False) -> dict[str, str]:
    """Write a preset for each provider of the facts; return those left out, with the reason."""
    document = json.loads(facts_file.read_text(encoding="utf-8"))
    texts: dict[Path, dict[str, str]] = {}
    reasons: dict[str, str] = {}
    for facts in document["providers"]:
        name = facts["name"]
        blocks = texts.setdefault(file_of(name), _read_blocks(file_of(name), anew=anew))
        try:
            settings = write_settings(facts)
        except LeftOut as error:
            reasons[name] = str(error)
            continue
        about = _write_about(facts, document["legend"])
        blocks.setdefault(name, write_preset(name, settings, about))
    for path, blocks in texts.items():
        if blocks:
            path.write_text(join_presets(blocks), encoding="utf-8")
    _write_facts(document["providers"])
    return reasons


def explain_left_out() -> dict[str, str]:
    """Return the providers of the facts without a preset, with the reason."""
    reasons = {}
    for line in FACTS_FILE.read_text(encoding="utf-8").splitlines():
        facts = json.loads(line)
        try:
            write_settings(facts)
        except LeftOut as error:
            reasons[facts["name"]] = str(error)
    return reasons


def _read_blocks(path: Path, *, anew: bool) -> dict[str, str]:
    is_kept = path.exists() and not anew
    text = path.read_text(encoding="utf-8") if is_kept else ""
    return split_presets(text.removeprefix(HEAD))


def _write_about(facts: Mapping[str, Any], legend: Mapping[str, str]) -> dict[str, Any]:
    about: dict[str, Any] = {"title": facts.get("display_name", _make_title(facts["name"]))}
    about |= {"tried": False, "stated_by": facts["catalogues"]}
    not_said = [tag for tag in _NOT_SAID if tag in facts.get("quirks", {})]
    if not_said:
        about["not_said"] = [legend[tag] for tag in not_said]
    if facts.get("conflicts"):
        about["disagreements"] = [_write_disagreement(one) for one in facts["conflicts"]]
    return about


def _write_disagreement(conflict: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "setting": conflict["field"],
        "value": conflict["value"],
        "stated_by": conflict["sources"],
    }


def _make_title(name: str) -> str:
    return " ".join(part.capitalize() for part in name.replace("_", "-").split("-"))


def _write_facts(providers: Iterable[Mapping[str, Any]]) -> None:
    lines = [
        json.dumps({key: it for key, it in facts.items() if key not in _NO_FACTS}, sort_keys=True)
        for facts in providers
    ]
    FACTS_FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")
