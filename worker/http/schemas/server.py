"""Answers of the health check and the shutdown."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, TypedDict

HealthStatus: TypeAlias = Literal["degraded", "healthy", "starting", "stopping", "unhealthy"]
UpOrDown: TypeAlias = Literal["up", "down"]


class Health(TypedDict):
    """Whether the service can do its work."""

    status: Annotated[
        HealthStatus,
        "Degraded, which is 200: a queue has no worker, or is paused. Starting: not all lines of "
        "the Procfile were ready yet.",
    ]
    uptime: Annotated[float, "Seconds since this process began to serve."]
    version: Annotated[str, "The release that this process runs."]
    database: UpOrDown
    broker: UpOrDown
    workers: Annotated[dict[str, int], "The live workers of each queue."]
    paused: Annotated[list[str], "The queues that the operator has paused."]


class Stopping(TypedDict):
    """The shutdown has begun."""

    status: Literal["stopping"]
    generation: Annotated[int, "The boot that is stopped; a later one is not."]
