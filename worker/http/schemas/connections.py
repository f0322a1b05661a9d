"""Answers about stored connections."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from models.oauth.connections import ConnectionStatus
from worker.http.schemas.fields import Subject, Text


class ConnectionQuery(BaseModel):
    """Which connections to list; a parameter that is not known is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    provider: Text | None = None
    subject: Subject | None = None
    status: ConnectionStatus | None = None
    cursor: str | None = Field(default=None, max_length=512, description="A page's `next_cursor`.")
    limit: int = Field(default=100, ge=1, le=500)


class Profile(BaseModel):
    """Who the user is, in the same words for every provider."""

    provider: str
    subject: str = Field(description="The provider's own name for the user.")
    email: str | None
    email_verified: bool | None = Field(description="null when the provider does not tell.")
    name: str | None
    picture: str | None
    raw: dict[str, Any] = Field(description="What the provider answered.")


class Connection(BaseModel):
    """One account at one provider; its tokens are never shown here."""

    id: str
    provider: str
    subject: str | None
    profile: Profile
    scope: str
    status: ConnectionStatus
    reason: str | None = Field(description="Why renewal fails, where it does.")
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ConnectionPage(BaseModel):
    """Connections, oldest first; `next_cursor` leads to the next page."""

    items: list[Connection]
    next_cursor: str | None


class Token(BaseModel):
    """A token that can be used now."""

    access_token: str
    token_type: str
    expires_at: datetime | None
    scope: str
    renewal_failing: bool
