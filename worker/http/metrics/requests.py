"""Metrics of one web process: the requests that it answers, counted by the route's pattern."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Any caller may send any method and path: labels made of them would grow without end.
_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_OTHER: Final = "other"
#: In seconds; the longest wait that a caller may prefer is 30.
_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class RequestMetrics:
    """The registry of one process, and the counters that requests touch."""

    def __init__(self, waiting: Callable[[], int]) -> None:
        """`waiting` returns how many requests of this process wait for a job."""
        self.registry = CollectorRegistry()
        count = partial(Counter, registry=self.registry)
        self.requests = count(
            "catfeeder_http_requests",
            "Requests answered by this process.",
            ["method", "route", "status"],
        )
        self.seconds = Histogram(
            "catfeeder_http_request_seconds",
            "Time from a request to the end of its answer, waiting for a job included.",
            ["route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.jobs = count(
            "catfeeder_jobs_enqueued", "Jobs that this process put onto a queue.", ["actor"]
        )
        self.logins = count(
            "catfeeder_logins_begun",
            "Sign-ins that a browser began without a key; one that is answered leaves an event.",
            ["provider"],
        )
        self.refused_logins = count(
            "catfeeder_logins_refused",
            "Sign-ins that a browser wanted to begin without a key, and could not.",
            ["provider", "reason"],
        )
        self.keys_refused = count(
            "catfeeder_http_keys_refused",
            "Requests refused for their API key, or for the lack of one.",
            ["reason"],
        )
        Gauge(
            "catfeeder_http_waiting", "Requests that wait for a job.", registry=self.registry
        ).set_function(waiting)


class CountRequests:
    """ASGI middleware that counts and times each request by the route's pattern, not its path."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics
        self._children: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, then record its status and duration."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = "none"

        async def record_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        started = time.perf_counter()
        try:
            await self._app(scope, receive, record_status)
        finally:
            self._record(scope, status, time.perf_counter() - started)

    def _record(self, scope: Scope, status: str, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else _OTHER
        route = getattr(scope.get("route"), "path", _OTHER)
        children = self._children.get((method, route, status))
        if children is None:
            # Looking a child up by its labels takes longer than counting with it.
            children = self._children[method, route, status] = (
                self._metrics.requests.labels(method, route, status),
                self._metrics.seconds.labels(route),
            )
        children[0].inc()
        children[1].observe(seconds)
