"""Fields of the console's forms: their texts become JSON values, or a sentence says why not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from catfeeder.errors import CatFeederError

M = TypeVar("M", bound=BaseModel)
_FLAGS: Final[Mapping[str, bool | None]] = {"": None, "yes": True, "no": False}


def read_lines(text: str) -> list[str]:
    """Return the lines of a text area, without blank ones."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def read_number(text: str) -> int | str | None:
    """Return a whole number, None for nothing, or the text itself, which validation refuses."""
    text = text.strip()
    try:
        return int(text) if text else None
    except ValueError:
        return text


def read_flag(text: str) -> bool | str | None:
    """Return what was chosen of yes, no and nothing, or the text itself."""
    return _FLAGS.get(text, text)


def write_flag(value: bool | None) -> str:
    """Return the choice that stands for a value."""
    return next(text for text, flag in _FLAGS.items() if flag is value)


def read_ticks(form: Mapping[str, str], name: str) -> list[str]:
    """Return the parts of a field that were ticked: those named as `name.part`."""
    return [field.removeprefix(f"{name}.") for field in form if field.startswith(f"{name}.")]


def check_body(
    model: type[M], data: Mapping[str, Any], refuse: Callable[[dict[str, str]], CatFeederError]
) -> M:
    """Return the body that an API's request would have, checked in the same way.

    Raises:
        CatFeederError: `refuse` has made it of a sentence for each field that cannot be used.
    """
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        raise refuse({_name(one["loc"]): one["msg"] for one in problems}) from None


def _name(path: tuple[int | str, ...]) -> str:
    return str(path[0]) if path else ""
