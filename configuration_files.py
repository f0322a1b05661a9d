"""Configuration files: `.env` under the environment, and `config.toml`, read as they stand."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Final

import toml

from env_file import parse_env_file
from environment import IGNORE_ENV_FILE, ROOT, optional_variable, read_text
from settings import ConfigurationError

ENV_FILE: Final = ROOT / ".env"
TOML_FILE: Final = ROOT / "config.toml"


def read_environment(env_file: Path = ENV_FILE) -> dict[str, str | None]:
    """Return `.env` overlaid by the environment, which wins; an empty variable counts as unset.

    Raises:
        ConfigurationError: The file is there and cannot be read; the message gives the line.
    """
    is_read = os.path.lexists(env_file) and IGNORE_ENV_FILE not in os.environ
    text = read_text(env_file, ".env") if is_read else ""
    environment = {name: value for name, value in os.environ.items() if value}
    written = parse_env_file(text)
    # A NAME_FILE of the environment wins over a NAME of .env as well.
    kept = {name: value for name, value in written.items() if f"{name}_FILE" not in environment}
    return {**kept, **environment}


def uses_postgresql() -> bool:
    """Tell whether DATABASE_URL names a PostgreSQL; a malformed setting is reported later."""
    try:
        url = optional_variable(read_environment(), "DATABASE_URL")
    except ConfigurationError:
        return True
    return url is not None and url.startswith("postgres")


def read_toml(toml_file: Path = TOML_FILE) -> dict[str, Any]:
    """Return `config.toml` as nested dicts; all defaults hold where the file is missing.

    Raises:
        ConfigurationError: It cannot be read or is not TOML; the message gives the line.
    """
    if not toml_file.exists():
        return {}
    text = read_text(toml_file, "config.toml")
    try:
        standard = tomllib.loads(text)
    # A number of thousands of digits is a ValueError of int().
    except ValueError as error:
        end = f"at the end, line {text.rstrip().count(chr(10)) + 1}"
        reason = str(error).replace("at end of document", end)
        raise ConfigurationError(f"config.toml is not valid TOML: {reason}.") from None
    lenient = _read_leniently(text)
    if not _is_same_table(lenient, standard):
        raise ConfigurationError(
            f"config.toml, line {_find_first_difference(text)}: `toml`, the package behind "
            "TOML_CONF, does not read this as the TOML standard has it: write it in a plainer way."
        )
    return dict(lenient)


def _is_same_table(one: Any, other: Any) -> bool:
    """Compare two tables by value and type: `1`, `1.0` and `true` are equal to Python."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same_table(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_same_table, one, other))
    return type(one) is type(other) and bool(one == other)


def _read_leniently(text: str) -> Any:
    """Return the table that the package `toml` reads, or None where it raises.

    It accepts strings without an end, and refuses lists of mixed types: its reading counts only
    where the standard library's is the same.
    """
    try:
        return toml.loads(text)
    # It stumbles over some lines instead of refusing them.
    except (ValueError, LookupError, TypeError):
        return None


def _find_first_difference(text: str) -> int:
    """Return the line up to which the standard's reader finds TOML and `toml` another content."""
    lines = text.rstrip().split("\n")
    for number in range(1, len(lines)):
        beginning = "\n".join(lines[:number])
        try:
            standard = tomllib.loads(beginning)
        except ValueError:  # It ends within a value of several lines.
            continue
        if not _is_same_table(_read_leniently(beginning), standard):
            return number
    return len(lines)
