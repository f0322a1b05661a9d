"""Answers of the health check and the shutdown."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class Health(BaseModel):
    """Whether the service can do its work."""

    status: Literal["healthy", "stopping", "unhealthy"]
    uptime: float = Field(description="Seconds since this process began to serve.")
    database: Literal["up", "down"]
    broker: Literal["up", "down"]


class Stopping(BaseModel):
    """The shutdown has begun."""

    status: Literal["stopping"]
    generation: int = Field(description="The boot that is stopped; a later one is not.")
