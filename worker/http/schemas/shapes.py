"""Response models: the TypedDict of an answer becomes a pydantic model for OpenAPI.

pydantic does not read `typing.TypedDict` before Python 3.12. The models document and are never
instantiated: routes answer with JSON data of the same shape.
"""

from __future__ import annotations

import functools
import types
from enum import Enum
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, create_model

from catfeeder.results import Format

#: pydantic prepares these models when the OpenAPI document is first asked for.
DOCUMENTED: Final = ConfigDict(defer_build=True)


@functools.cache
def build_model(shape: Any) -> type[BaseModel]:
    """Return the model of a TypedDict: same name, fields, descriptions and required fields."""
    hints = get_type_hints(shape, include_extras=True)
    fields: dict[str, Any] = {
        name: (_to_model_type(hint), ... if name in shape.__required_keys__ else None)
        for name, hint in hints.items()
    }
    return create_model(shape.__name__, __config__=DOCUMENTED, __doc__=shape.__doc__, **fields)


def _to_model_type(hint: Any) -> Any:
    """Return a type hint with models in place of TypedDicts, and pydantic's metadata."""
    if is_typeddict(hint):
        return build_model(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        choices = [extra for extra in arguments[1:] if _is_choice(extra)]
        kind = choices[0] if choices else _to_model_type(arguments[0])
        extras = [_to_metadata(extra) for extra in arguments[1:] if extra not in choices]
        return Annotated[(kind, *extras)] if extras else kind
    if origin in (Union, types.UnionType):
        return Union[tuple(map(_to_model_type, arguments))]  # noqa: UP007
    if origin is list:
        return list[_to_model_type(arguments[0])]  # type: ignore[misc]
    return hint


def _is_choice(extra: Any) -> bool:
    """Return whether an annotation lists the values that a text may have."""
    return get_origin(extra) is Literal or (isinstance(extra, type) and issubclass(extra, Enum))


def _to_metadata(extra: Any) -> Any:
    if isinstance(extra, str):
        return Field(description=extra)
    if isinstance(extra, Format):
        return WithJsonSchema({"type": "string", "format": extra.name})
    return extra
