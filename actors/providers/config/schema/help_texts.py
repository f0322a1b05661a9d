"""Help: what each setting of a provider means, read when the description or a form is made."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from actors.providers.config.schema.body import ProviderSettings

_FILE = Path(__file__).with_name("help.toml")


@cache
def read_help() -> dict[str, str]:
    """Return what each setting means, by its name."""
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


def describe_schema() -> dict[str, Any]:
    """Return the JSON schema of a provider's settings, each with what it means."""
    schema = ProviderSettings.model_json_schema()
    for name, described in schema["properties"].items():
        described["description"] = read_help()[name]
    return schema
