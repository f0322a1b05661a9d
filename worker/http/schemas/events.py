"""Audit trail schema: its query and its answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from actors.audit import EventKind
from worker.http.schemas.fields import Text, Time


class EventQuery(BaseModel):
    """The events to list; an unknown parameter is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    kind: EventKind | None = None
    provider: Text | None = None
    connection_id: Text | None = None
    key_id: Text | None = Field(
        default=None, description="The caller's key; `admin` is ADMIN_API_KEY."
    )
    since: Time | None = Field(
        default=None,
        description="The earliest time (RFC 3339).",
        examples=["2026-11-23T00:00:00Z"],
    )
    cursor: str | None = Field(default=None, max_length=512, description="A page's `next_cursor`.")
    limit: int = Field(default=100, ge=1, le=500)


class Event(BaseModel):
    """One thing that happened; there is never a secret in it."""

    id: int = Field(description="Later events have greater ones.")
    kind: EventKind
    key_id: str | None = Field(
        description="The API key that it was asked with; null for browsers, the schedule, the "
        "command line and apps on the queue."
    )
    provider: str | None
    connection_id: str | None
    subject: str | None
    detail: dict[str, Any] | None = Field(description="Further members, by kind.")
    created_at: datetime


class EventPage(BaseModel):
    """Events, newest first; `next_cursor` leads to the page before."""

    items: list[Event]
    next_cursor: str | None
