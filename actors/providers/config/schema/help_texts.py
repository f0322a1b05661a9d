"""Help: what each setting of a provider means, read when the description or a form is made."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from pydantic.json_schema import DEFAULT_REF_TEMPLATE

from actors.providers.config.schema.body import ProviderSettings

_FILE = Path(__file__).with_name("help.toml")


@cache
def read_help() -> dict[str, str]:
    """Return what each setting means, by its name."""
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


def describe_schema(ref_template: str = DEFAULT_REF_TEMPLATE) -> dict[str, Any]:
    """Return the JSON schema of a provider's settings, each with what it means.

    `ref_template` says where the schemas that it refers to will stand.
    """
    schema = ProviderSettings.model_json_schema(ref_template=ref_template)
    for name, described in schema["properties"].items():
        described["description"] = read_help()[name]
    return schema
