"""Requests about deliveries to webhooks; the answers are shapes of `actors.events.deliveries`."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from actors.events.deliveries import MAX_RESENT
from actors.whole_numbers import Whole
from models.webhook_deliveries import DeliveryStatus
from worker.http.schemas.fields import Body, Cursor, Text

_MAX_ID: Final = 2**63 - 1


class DeliveryQuery(BaseModel):
    """The deliveries to list; an unknown parameter is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    app: Text | None = Field(default=None, description="For an operator who sees all apps.")
    status: DeliveryStatus | None = None
    cursor: Cursor | None = Field(default=None, description="A page's `next_cursor`.")
    limit: int = Field(default=100, ge=1, le=500)


class EventsToResend(Body):
    """The events to deliver anew."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"event_ids": [4711]}]})

    event_ids: list[Whole] | None = Field(
        default=None,
        max_length=MAX_RESENT,
        description=f"All that were given up where it is left out, {MAX_RESENT} at a time.",
    )

    def list_ids(self) -> list[int] | None:
        """Return the ids, without numbers that no event has."""
        ids = self.event_ids
        return None if ids is None else [it for it in ids if 0 < it <= _MAX_ID]
