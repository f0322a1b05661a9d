"""Connection limits of the HTTP server: deadlines, a bound, and a reserve for the health check.

uvicorn waits without end for a connection's first request. A few thousand idle connections would
take all descriptors of the process, and with them the API.
"""

from __future__ import annotations

import asyncio
import math
import resource
from dataclasses import dataclass
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from config import current_settings
from worker.http.asgi.strict_protocol import StrictProtocol
from worker.http.errors.problems import to_problem
from worker.http.errors.refusals import TooManyConnections

#: Descriptors for the database, Redis, log files and the reserve.
_OTHER_DESCRIPTORS: Final = 200
_MINIMUM: Final = 16
_HEALTH_PATH: Final = "/health"
#: What an endless answer sets in its request's state: a function that ends it.
END_STREAM: Final = "end_stream"


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections a process has, and how long each may keep it waiting."""

    maximum: int
    #: Connections beyond the maximum, on which nothing but the health check is answered.
    reserve: int = 32
    #: From the beginning of a connection, or the end of an answer, to the end of the next header.
    header_seconds: float = 10.0
    #: Between two pieces of a body, and for the whole of it.
    body_pause_seconds: float = 10.0
    body_seconds: float = 60.0
    #: For a client to take in what was sent.
    reading_seconds: float = 30.0
    #: For a request on the reserve.
    reserved_seconds: float = 2.0
    sweep_seconds: float = 1.0


def read_limits() -> ConnectionLimits:
    """Return the limits by config.toml and by the number of files that the process may open."""
    wanted = current_settings().server.max_connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHER_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return ConnectionLimits(max(min(wanted, soft - _OTHER_DESCRIPTORS), _MINIMUM))
    return ConnectionLimits(wanted)


class ConnectionGuard:
    """All connections of one server, swept once a second: a timer for each would cost more."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        #: The open connections; and those of them without a request, the longest idle first.
        self.all: set[GuardedProtocol] = set()
        self.idle: dict[GuardedProtocol, None] = {}
        self._is_sweeping = False

    def admit(self, connection: GuardedProtocol) -> bool:
        """Add a connection; return whether it is within the maximum.

        Beyond the maximum the longest idle one makes room.
        """
        if len(self.all) >= self.limits.maximum and self.idle:
            next(iter(self.idle)).expire()
        is_within = len(self.all) < self.limits.maximum
        self.all.add(connection)
        if not self._is_sweeping:
            self._is_sweeping = True
            connection.loop.call_later(self.limits.sweep_seconds, self._sweep, connection.loop)
        return is_within

    def forget(self, connection: GuardedProtocol) -> None:
        """Remove a connection."""
        self.all.discard(connection)
        self.idle.pop(connection, None)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for connection in [each for each in self.all if each.deadline <= now]:
            connection.expire()
        self._is_sweeping = bool(self.all)
        if self._is_sweeping:
            loop.call_later(self.limits.sweep_seconds, self._sweep, loop)


class GuardedProtocol(StrictProtocol):
    """A connection with deadlines, by `uvicorn --http` and the address of this class."""

    #: Read from the settings where it is None.
    limits: ConnectionLimits | None = None
    #: When the connection is closed unless something happens, by the loop's clock.
    deadline = math.inf
    _guard: ConnectionGuard
    _request_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Admit the connection, or close it where even the reserve is used up."""
        super().connection_made(transport)
        # TrustedProxies does what uvicorn's own does, for the proxies of config.toml alone.
        if isinstance(self.app, ProxyHeadersMiddleware):
            self.app = self.app.app
        self._guard = _guard_of(self.server_state, self.limits)
        limits = self._guard.limits
        is_within = self._guard.admit(self)
        if not is_within and len(self._guard.all) > limits.maximum + limits.reserve:
            self.expire()
            transport.abort()
        elif not is_within:
            self.app = _answer_health_alone(self.app)
        self._await_header(limits.header_seconds if is_within else limits.reserved_seconds)

    def shutdown(self) -> None:
        """Begin the graceful end; an answer without an end of its own ends now."""
        super().shutdown()
        if self.running is not None and not self.running.response_complete:
            end_stream = self.running.scope["state"].get(END_STREAM)
            if end_stream is not None:
                end_stream()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._guard.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, and set the deadline of what is to come next."""
        super().data_received(data)
        self._set_deadline()

    def on_response_complete(self) -> None:
        """Await the next request, which may be there already."""
        self._request_since = None
        super().on_response_complete()
        self._set_deadline()

    def pause_writing(self) -> None:
        """Give the client its time to take in what was sent."""
        super().pause_writing()
        self.deadline = self.loop.time() + self._guard.limits.reading_seconds

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        self._set_deadline()

    def expire(self) -> None:
        """Close the connection; one that does not end by that is cut off a while later."""
        self._guard.forget(self)
        if self.transport.is_closing():
            self.transport.abort()
        else:
            self.transport.close()
            self.loop.call_later(self._guard.limits.reserved_seconds, self.transport.abort)

    def _set_deadline(self) -> None:
        if self.flow.write_paused:
            # The client has to take in what was sent, whatever else it sends.
            return
        cycle = self.running
        if cycle is None or cycle.response_complete:
            if self not in self._guard.idle and self in self._guard.all:
                self._await_header(self._guard.limits.header_seconds)
            return
        self._guard.idle.pop(self, None)
        if not cycle.more_body:
            self.deadline = math.inf
            return
        now, limits = self.loop.time(), self._guard.limits
        self._request_since = self._request_since or now
        self.deadline = min(
            now + limits.body_pause_seconds, self._request_since + limits.body_seconds
        )

    def _await_header(self, seconds: float) -> None:
        self.deadline = self.loop.time() + seconds
        if self in self._guard.all:
            self._guard.idle[self] = None


def _guard_of(server_state: Any, limits: ConnectionLimits | None) -> ConnectionGuard:
    """Return the guard that all connections of a server share."""
    guard: ConnectionGuard | None = getattr(server_state, "connection_guard", None)
    if guard is None:
        guard = server_state.connection_guard = ConnectionGuard(limits or read_limits())
    return guard


def _answer_health_alone(app: Any) -> Any:
    """Return an application that answers the health check, and refuses all else."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        wanted: ASGIApp = app
        if scope["path"] != _HEALTH_PATH:
            wanted = to_problem(TooManyConnections(headers={"Connection": "close"}))
        await wanted(scope, receive, send)

    return answer
