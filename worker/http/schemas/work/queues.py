"""Requests and answers about dead letters."""

from __future__ import annotations

from typing import Annotated, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from worker.http.schemas.fields import Cursor, Text


class DeadLetterQuery(BaseModel):
    """The page to read; an unknown parameter is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    reason: Text | None = Field(default=None, examples=["kills_workers"])
    actor: Text | None = Field(default=None, examples=["renew_connection"])
    job_id: Text | None = None
    cursor: Cursor | None = Field(default=None, description="A page's `next_cursor`.")
    limit: int = Field(default=100, ge=1, le=500)


class Letters(BaseModel):
    """The dead letters to send anew, or to discard."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra={"examples": [{"ids": ["0b8e4d9c-7c4e-4b8e-9d57-3f2f5f0c1a52"]}]},
    )

    ids: list[str] | None = Field(
        default=None, max_length=1000, description="All of the queue's where it is left out."
    )


class Replayed(TypedDict):
    """The dead letters that were sent anew, and the others."""

    replayed: list[str]
    left: Annotated[
        list[str],
        "Those that are unknown or no message of ours, or whose job waits or runs, "
        "or has succeeded.",
    ]


class Discarded(TypedDict):
    """The dead letters that were deleted, and the others."""

    discarded: list[str]
    unknown: list[str]
