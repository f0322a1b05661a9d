"""Query of the renewal plan; the answers are shapes of `actors.renewal.plan.listing`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from models.oauth.connections import ConnectionStatus
from worker.http.schemas.fields import Cursor, Subject, Text, Time


class RenewalQuery(BaseModel):
    """The renewals to list; an unknown parameter is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    provider: Text | None = None
    subject: Subject | None = None
    status: ConnectionStatus | None = None
    before: Time | None = Field(
        default=None,
        description="Only what falls due before this time (RFC 3339).",
        examples=["2026-11-24T00:00:00Z"],
    )
    cursor: Cursor | None = Field(default=None, description="A page's `next_cursor`.")
    limit: int = Field(default=100, ge=1, le=500)
