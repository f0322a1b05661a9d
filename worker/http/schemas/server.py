"""Answers of the health check and the shutdown."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class Health(BaseModel):
    """Whether the service can do its work."""

    status: Literal["degraded", "healthy", "starting", "stopping", "unhealthy"] = Field(
        description="Degraded, which is 200: a queue has no worker. Starting: not all lines of the "
        "Procfile were ready yet."
    )
    uptime: float = Field(description="Seconds since this process began to serve.")
    version: str = Field(description="The release that this process runs.")
    database: Literal["up", "down"]
    broker: Literal["up", "down"]
    workers: dict[str, int] = Field(description="The live workers of each queue.")


class Stopping(BaseModel):
    """The shutdown has begun."""

    status: Literal["stopping"]
    generation: int = Field(description="The boot that is stopped; a later one is not.")
