"""Query of the audit trail; the answers are shapes of `actors.events.audit`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from actors.events.kinds import EventKind
from worker.http.schemas.fields import Cursor, Text, Time


class EventQuery(BaseModel):
    """The events to list; an unknown parameter is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    app: Text | None = Field(default=None, description="For an operator who sees all apps.")
    kind: EventKind | None = None
    provider: Text | None = None
    connection_id: Text | None = None
    key_id: Text | None = Field(
        default=None, description="The caller's key; `admin` is ADMIN_API_KEY."
    )
    reference: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{10}$",
        description="What the page of a sign-in that failed showed its user.",
    )
    since: Time | None = Field(
        default=None,
        description="The earliest time (RFC 3339).",
        examples=["2026-11-23T00:00:00Z"],
    )
    cursor: Cursor | None = Field(default=None, description="A page's `next_cursor`.")
    limit: int = Field(default=100, ge=1, le=500)
