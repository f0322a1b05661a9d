"""Whole numbers of JSON, as JSON Schema has them: 3600.0 is one, and some programs write it so."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BeforeValidator


def _to_int(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


#: Stands behind the bounds of a number, so that JSON Schema has these as well.
TO_WHOLE: Final = BeforeValidator(_to_int)
Whole = Annotated[int, TO_WHOLE]
