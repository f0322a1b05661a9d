"""Retries: what may be sent again is, under one idempotency key, as long as patience lasts.

Sent again are requests that change nothing a second time: by their method (RFC 9110 section 9.2.2),
or since their route takes an `Idempotency-Key`, which makes a repeat return the first job. Any
other is sent again only after 429, which says that nothing was done.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from .faults import ProblemAnswered, ServiceUnreachable
from .job_routes import JOB_ROUTES

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT"})
_TRANSIENT = frozenset({502, 503, 504})
_FIRST_DELAY_SECONDS = 0.2
_LONGEST_DELAY_SECONDS = 5.0
_PROBLEM = "application/problem+json"
_JOB_PATHS = [
    (method, re.compile("/?" + re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)) + r"\Z"))
    for method, path in JOB_ROUTES
]


@dataclass(frozen=True)
class Patience:
    """How long a request is tried, in seconds, and how often."""

    seconds: float = 30
    attempts: int = 5
    #: What a route waits for its job by itself (`Prefer: wait=N`).
    wait: int = 10


class _Attempts:
    """The attempts of one request."""

    def __init__(self, request: httpx.Request, patience: Patience) -> None:
        self._patience = patience
        self._deadline = time.monotonic() + patience.seconds
        self._made = 0
        is_job = _makes_job(request)
        self._is_safe = is_job or request.method in _SAFE_METHODS
        if is_job:
            request.headers.setdefault("Idempotency-Key", str(uuid.uuid4()))
            request.headers.setdefault("Prefer", f"wait={patience.wait}")

    def delay_after(self, status: int | None, headers: Mapping[str, str]) -> float | None:
        """Return the seconds until the next attempt, if there is one; no status is no answer."""
        self._made += 1
        is_transient = status is None or status in _TRANSIENT
        if status != 429 and not (is_transient and self._is_safe):
            return None
        backoff = min(_FIRST_DELAY_SECONDS * 2 ** (self._made - 1), _LONGEST_DELAY_SECONDS)
        delay = read_retry_after(headers) or backoff * random.uniform(0.5, 1)  # noqa: S311
        is_over = self._made >= self._patience.attempts
        return None if is_over or time.monotonic() + delay > self._deadline else delay


def _makes_job(request: httpx.Request) -> bool:
    path = request.url.path
    prefix = path[: path.find("/v1/")] if "/v1/" in path else ""
    own = path[len(prefix) :]
    return any(request.method == method and form.match(own) for method, form in _JOB_PATHS)


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a `Retry-After`, if it has any."""
    text = headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdecimal() else None


def _to_error(response: httpx.Response) -> Exception | None:
    """Return the error that an answer stands for; its content has been read."""
    if response.status_code < 400:
        return None
    kind = response.headers.get("Content-Type", "").partition(";")[0]
    if kind == "application/json":
        # /health says what is wrong in its usual form.
        return None
    problem = _read_json(response) if kind == _PROBLEM else None
    if not isinstance(problem, dict):
        return ServiceUnreachable()
    return ProblemAnswered(response.status_code, problem, read_retry_after(response.headers))


def _read_json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


class RetryingTransport(httpx.BaseTransport):
    """Sends a request until it is answered for good, or patience ends; raises problems."""

    def __init__(self, patience: Patience, inner: httpx.BaseTransport | None = None) -> None:
        self._patience = patience
        self._inner = inner or httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the last answer, or raise ProblemAnswered or ServiceUnreachable."""
        attempts = _Attempts(request, self._patience)
        while True:
            response = self._try(request)
            status = None if response is None else response.status_code
            delay = attempts.delay_after(status, {} if response is None else response.headers)
            if delay is None:
                return _conclude(response)
            time.sleep(delay)

    def _try(self, request: httpx.Request) -> httpx.Response | None:
        try:
            response = self._inner.handle_request(request)
            response.read()
        except httpx.TransportError:
            return None
        return response

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


class AsyncRetryingTransport(httpx.AsyncBaseTransport):
    """The same for asyncio."""

    def __init__(self, patience: Patience, inner: httpx.AsyncBaseTransport | None = None) -> None:
        self._patience = patience
        self._inner = inner or httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the last answer, or raise ProblemAnswered or ServiceUnreachable."""
        attempts = _Attempts(request, self._patience)
        while True:
            response = await self._try(request)
            status = None if response is None else response.status_code
            delay = attempts.delay_after(status, {} if response is None else response.headers)
            if delay is None:
                return _conclude(response)
            await asyncio.sleep(delay)

    async def _try(self, request: httpx.Request) -> httpx.Response | None:
        try:
            response = await self._inner.handle_async_request(request)
            await response.aread()
        except httpx.TransportError:
            return None
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


def _conclude(response: httpx.Response | None) -> httpx.Response:
    if response is None:
        raise ServiceUnreachable
    error = _to_error(response)
    if error is not None:
        raise error
    return response
