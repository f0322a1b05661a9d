"""Calls of providers: each is timed by provider and operation, and is a span of its trace."""

from __future__ import annotations

import time
from contextvars import ContextVar
from types import TracebackType
from typing import Final

from actors.telemetry.metrics import PROVIDER_SECONDS
from actors.telemetry.series import OTHER, label_provider
from actors.telemetry.tracing import CLIENT, Span, begin_span

#: The provider whose published keys are fetched, should the cache not have them.
whose_keys: Final[ContextVar[str]] = ContextVar("whose_keys", default=OTHER)


class ProviderCall:
    """A block that asks a provider for one thing, such as `refresh` or `user_info`.

    A class, since each renewal enters one: a generator's context costs twice as much.
    """

    __slots__ = ("_operation", "_provider", "_span", "_started_at")

    def __init__(self, provider: str, operation: str) -> None:
        """`provider` is the key of its row; an app's own counts among those of all apps."""
        self._provider = label_provider(provider)
        self._operation = operation

    def __enter__(self) -> Span:
        """Begin to measure; return the span, for what is known only once it was sent."""
        self._span = begin_span(
            f"{self._operation} {self._provider}",
            CLIENT,
            {"catfeeder.provider": self._provider, "catfeeder.operation": self._operation},
        )
        self._started_at = time.perf_counter()
        return self._span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Count the duration, whatever came of the call."""
        seconds = time.perf_counter() - self._started_at
        PROVIDER_SECONDS.observe(seconds, self._provider, self._operation)
        self._span.end(error)
