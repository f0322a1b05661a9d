"""Formats of fields: what JSON Schema says of a text beyond its type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeAlias


@dataclass(frozen=True, slots=True)
class Format:
    """The `format` that JSON Schema gives a text, such as `date-time`."""

    name: str


Time: TypeAlias = Annotated[str, Format("date-time")]
