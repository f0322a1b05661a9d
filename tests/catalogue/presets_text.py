"""Text of presets in TOML, as people edit it: one setting a line, files by the first character."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

#: The first line of each file.
HEAD: Final = "# Presets of the catalogue; ../config/schema/help.toml explains the settings.\n"
_BARE: Final = re.compile("[A-Za-z0-9_-]+")
_WIDTH: Final = 110
#: The order of the settings in a preset; others follow by name.
_ORDER: Final = (
    *("base_url", "variables", "issuer", "authorization_endpoint", "token_endpoint"),
    "device_authorization_endpoint",
    *("refresh_endpoint", "userinfo_endpoint", "emails_endpoint", "revocation_endpoint"),
    *("token_endpoint_auth_method", "scopes", "scope_separator", "code_challenge_method"),
    *("authorization_parameters", "parameter_names", "response_type", "code_parameter"),
)
_LAST: Final = ("identity", "metadata", "profile")


def write_preset(name: str, settings: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Return the table of a preset, and the one that says what it rests on."""
    lines = [f"[{_key(name)}]"]
    lines += [f"{key} = {_value(settings[key])}" for key in sorted(settings, key=_rank)]
    lines += ["", f"[{_key(name)}.about]"]
    lines += [f"{key} = {_value(value)}" for key, value in about.items()]
    return "\n".join(lines) + "\n"


def split_presets(text: str) -> dict[str, str]:
    """Return the text of each preset of a file, comments above a table included."""
    blocks: dict[str, str] = {}
    pending = name = ""
    for line in text.splitlines(keepends=True):
        found = re.match(r'\["?([a-z0-9_-]+)"?\]', line)
        if line.startswith("#"):
            pending += line
            continue
        if found:
            name, blocks[found[1]] = found[1], ""
        if name:
            blocks[name] += pending + line
            pending = ""
    return {one: f"{block.strip()}\n" for one, block in blocks.items()}


def join_presets(blocks: Mapping[str, str]) -> str:
    """Return the text of a file of presets, by name."""
    body = "\n\n".join(blocks[name] for name in sorted(blocks))
    return f"{HEAD}\n{body}"


def _rank(name: str) -> tuple[int, str]:
    if name in _ORDER:
        return _ORDER.index(name), ""
    return (200 + _LAST.index(name), "") if name in _LAST else (100, name)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name)


def _value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case Mapping():
            inner = ", ".join(f"{_key(key)} = {_value(it)}" for key, it in value.items())
            return f"{{ {inner} }}"
        case Sequence():
            return _list(value)
    raise TypeError(type(value))


def _list(values: Sequence[Any]) -> str:
    parts = [_value(value) for value in values]
    whole = f"[{', '.join(parts)}]"
    is_short = len(whole) <= _WIDTH and not any(isinstance(value, Mapping) for value in values)
    return whole if is_short else "[\n" + "".join(f"    {part},\n" for part in parts) + "]"
