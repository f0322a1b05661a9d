"""Query of the catalogue; the answers are shapes of `catfeeder.results`."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from worker.http.schemas.fields import Text

_Query = Annotated[str, Field(max_length=100), AfterValidator(str.strip)]


class CatalogueQuery(BaseModel):
    """The presets to list; an unknown parameter is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    query: _Query = Field(default="", description="Words of a provider's name.")
    cursor: Text | None = Field(default=None, description="A page's `next_cursor`.")
    limit: int = Field(default=50, ge=1, le=200)
