"""Preset lookup by name: one file of the catalogue is parsed when a preset of it is needed.

The presets of presets.toml, made by hand, come before those of the catalogue of the same name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from actors.providers.protocol.provider_builder import presets
from config import credential_variable

FOLDER: Final = Path(__file__).parent
#: What a preset rests on; no setting of a provider.
ABOUT: Final = "about"
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_CLIENT_ID: Final = "_CLIENT_ID"


def file_of(name: str) -> Path:
    """Return the file that has the preset of a name: the one of its first character."""
    return FOLDER / f"{name[:1]}.toml"


def find_preset(name: str | None) -> Mapping[str, Any] | None:
    """Return the settings of a preset, or None where there is none of that name."""
    if not name:
        return None
    if name in presets():
        return presets()[name]
    preset = _read_entries(name).get(name)
    if preset is None:
        return None
    return {setting: value for setting, value in preset.items() if setting != ABOUT}


def preset_settings(name: str | None) -> Mapping[str, Any]:
    """Return the settings of a preset; none where there is no such preset."""
    return find_preset(name) or _NOTHING


def describe_origin(name: str) -> Mapping[str, Any]:
    """Return what the preset of a name rests on: its title, and the catalogues that state it."""
    about: Mapping[str, Any] = _read_entries(name).get(name, _NOTHING).get(ABOUT, _NOTHING)
    return about


def _read_entries(name: str) -> Mapping[str, Any]:
    # Only names of these characters are files here, so that no other file is ever read.
    first = name[:1]
    return _read_file(first) if first.isascii() and first.isalnum() else _NOTHING


@lru_cache(maxsize=4)
def _read_file(first: str) -> Mapping[str, Any]:
    """Return the entries of a file; a process holds the few that it uses."""
    try:
        return tomllib.loads((FOLDER / f"{first}.toml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return _NOTHING


def configured_names(variables: Iterable[str]) -> Iterator[str]:
    """Yield the presets whose client_id is among variables, such as NOTION_CLIENT_ID.

    A variable has the preset's name in capitals, with _ for -.
    """
    for variable in sorted(variables):
        stem = variable.removesuffix("_FILE").removesuffix(_CLIENT_ID)
        if stem and stem not in (variable, variable.removesuffix("_FILE")):
            yield from _names_of(stem)


def _names_of(stem: str) -> Iterator[str]:
    known = [*presets(), *_read_entries(stem.lower())]
    variable = credential_variable(stem, "CLIENT_ID")
    return (
        name for name in dict.fromkeys(known) if credential_variable(name, "CLIENT_ID") == variable
    )


def read_all() -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Yield each preset by name: its name, its settings, and what it rests on. None is kept."""
    entries: dict[str, Mapping[str, Any]] = {}
    for path in FOLDER.glob("*.toml"):
        entries |= tomllib.loads(path.read_text(encoding="utf-8"))
    for name in sorted({*entries, *presets()}):
        whole = entries.get(name, _NOTHING)
        settings = presets().get(name) or {key: it for key, it in whole.items() if key != ABOUT}
        yield name, settings, whole.get(ABOUT, _NOTHING)
