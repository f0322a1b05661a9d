"""Renewal plan schema: its query and its answers."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from actors.renewal.listing import Cause
from models.oauth.connections import ConnectionStatus
from worker.http.schemas.fields import Subject, Text, Time


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
    cursor: str | None = Field(default=None, max_length=512, description="A page's `next_cursor`.")
    limit: int = Field(default=100, ge=1, le=500)


class Renewal(BaseModel):
    """One token that falls due; it is not shown."""

    connection_id: str
    provider: str
    subject: str | None
    status: ConnectionStatus
    renew_at: datetime = Field(description="When it falls due; the next sweep takes it.")
    expires_at: datetime | None
    grant_expires_at: datetime | None = Field(
        description="When the grant ends for good, if that is known: no renewal leads beyond it."
    )
    is_due: bool
    cause: Cause = Field(
        description="`expiry`: the token is about to end; `retry`: the last try has failed; "
        "`in_progress`: a worker is renewing it."
    )
    why: str = Field(description="The same as a sentence.")
    hindrance: str | None = Field(description="What would keep the renewal from succeeding now.")


class RenewalPage(BaseModel):
    """Renewals in the order in which they fall due; `next_cursor` leads to the next page."""

    is_scheduled: bool = Field(description="Whether `renew_oath_tokens` of config.toml is on.")
    items: list[Renewal]
    next_cursor: str | None
