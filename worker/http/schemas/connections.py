"""Query of the connections' list; the answers are shapes of `catfeeder.results`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from models.oauth.connections import ConnectionStatus
from worker.http.schemas.fields import Subject, Text


class ConnectionQuery(BaseModel):
    """The connections to list; an unknown parameter is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    provider: Text | None = None
    subject: Subject | None = None
    status: ConnectionStatus | None = None
    cursor: str | None = Field(default=None, max_length=512, description="A page's `next_cursor`.")
    limit: int = Field(default=100, ge=1, le=500)
