"""Whole numbers of JSON, as JSON Schema has them: 3600.0 is one, and some programs write it so."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator


def _to_int(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_to_int)]
