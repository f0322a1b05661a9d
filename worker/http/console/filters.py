"""Filters of the console's lists: fields of a form, where an empty one stands for any."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from worker.http.schemas.fields import Text


def _drop_empty(value: object) -> object:
    return (value.strip() or None) if isinstance(value, str) else value


#: Of a field that was left empty.
EmptyIsNone = BeforeValidator(_drop_empty)
OptionalText = Annotated[Text | None, EmptyIsNone]
Cursor = Annotated[
    Annotated[str, Field(max_length=512)] | None,
    EmptyIsNone,
]


class Filters(BaseModel):
    """The base of what a list is filtered by; `app` is what the console acts for."""

    app: OptionalText = None
    cursor: Cursor = None

    def to_query(self) -> dict[str, str]:
        """Return the filters that are set, as links to further pages have them."""
        found: dict[str, Any] = self.model_dump(exclude={"cursor"}, by_alias=True)
        return {name: str(value) for name, value in found.items() if value is not None}

    def to_search(self) -> dict[str, Any]:
        """Return what a search takes: the app is in the request's context."""
        return self.model_dump(exclude={"app"})
