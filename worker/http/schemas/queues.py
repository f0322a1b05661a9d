"""Queue and dead-letter schemas."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class QueueName(StrEnum):
    """A queue."""

    PASSWORDS = "passwords"
    OAUTH = "oauth"
    RENEWALS = "renewals"
    CONTROL = "control"


class Queue(BaseModel):
    """The state of a queue."""

    queue: QueueName
    messages: int = Field(description="How many wait; those in flight are not counted.")
    oldest_seconds: float | None = Field(description="How long the first of them has waited.")
    workers: int
    per_second: float = Field(description="How many the workers could perform, by the latest ones.")
    dead_letters: dict[str, int] = Field(
        description="How many messages no worker will perform, by the code of the reason.",
        examples=[{"kills_workers": 1}],
    )


class QueueList(BaseModel):
    """All queues."""

    items: list[Queue]


class DeadLetterQuery(BaseModel):
    """The page to read; an unknown parameter is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    cursor: str | None = Field(default=None, max_length=512, description="A page's `next_cursor`.")
    limit: int = Field(default=100, ge=1, le=500)


class DeadLetter(BaseModel):
    """A message that failed or was set aside; what it holds is not shown."""

    id: str
    died_at: datetime
    reason: str = Field(description="The code of the job's error, or why it was set aside.")
    detail: str | None
    actor: str | None = Field(description="null where the message cannot be read.")
    job_id: str | None
    provider: str | None = Field(description="The provider that it was about, if it was.")
    connection_ids: list[str] = Field(description="The connections that it was about.")


class DeadLetterPage(BaseModel):
    """Dead letters, the latest first; `next_cursor` leads to the next page."""

    items: list[DeadLetter]
    next_cursor: str | None


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


class Replayed(BaseModel):
    """The dead letters that were sent anew, and the others."""

    replayed: list[str]
    left: list[str] = Field(
        description="Those that are unknown or no message of ours, or whose job waits or runs."
    )


class Discarded(BaseModel):
    """The dead letters that were deleted, and the others."""

    discarded: list[str]
    unknown: list[str]
