"""HTTP client: the requests that the queue cannot carry, for a sign-in, a token and an import.

The queue key lets its holder ask for work, and opens nothing that is stored. A message that answers
with a stored token would end that: so `access_token` needs an API key with the scope `tokens:read`,
which can be limited, watched and revoked. `authorize` stores a row and reads the provider's, which
the service's HTTP process does at once, without a worker; it needs the scope `jobs`, and so do
`connect_session` and `import_connection`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import http
import io
import json
import re
import socket
import ssl
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any, Final, Generic, TypeVar, cast
from urllib.parse import SplitResult, quote, urlsplit

from catfeeder.errors import InvalidApiKey, InvalidApiUrl, RequestRefused, ServiceUnreachable
from catfeeder.results import (
    AccessToken,
    Authorization,
    Connection,
    ConnectLink,
    PolicyVerdict,
)

A = TypeVar("A", Authorization, AccessToken, Connection, ConnectLink, PolicyVerdict)

#: Requests of one asyncio client at the same time; further ones wait, within their own timeout.
_MAX_THREADS: Final = 64
#: What may succeed a moment later: the service or a provider was busy, or away.
_TRANSIENT_STATUSES: Final = frozenset({408, 429, 502, 503, 504})


@dataclasses.dataclass(frozen=True, slots=True)
class ApiRequest(Generic[A]):
    """A request, the shape of its answer, and the seconds that it may take in all."""

    answer: type[A]
    timeout: float
    method: str
    path: str
    body: Mapping[str, Any] | None = None


class HttpApi:
    """The service's HTTP side, of which an app needs its address and an API key."""

    def __init__(self, api_url: str, api_key: str) -> None:
        """Check the URL that the service is reached at, without `/v1`, and an app's API key.

        Raises:
            InvalidApiUrl, InvalidApiKey: They are not.
        """
        # A line break would end the header's line, and begin one of the caller's choice.
        if not re.fullmatch(r"https?://[^\s/@?#:][^\s/@?#]*(/[^\s?#]*)?", api_url):
            raise InvalidApiUrl
        if not re.fullmatch("[!-~]+", api_key):
            raise InvalidApiKey
        parts = _split_url(api_url)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._prefix = quote(parts.path.rstrip("/"))
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._key = api_key
        # Its own: calls that wait for a provider would else keep the app's threads from its work.
        self._threads = ThreadPoolExecutor(_MAX_THREADS, "catfeeder-http")

    def fetch(self, request: ApiRequest[A]) -> A:
        """Send a request and return the answer.

        Raises:
            RequestRefused: The service refused it; code and sentence are the service's.
            ServiceUnreachable: The service did not answer in time, or another server did.
        """
        connection = self._connect(request.timeout)
        try:
            connection.request(*self._write(request))
            return _read_answer(connection.getresponse(), request.answer)
        # A proxy's page in place of an answer, or an answer that was cut off.
        except (HTTPException, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ServiceUnreachable(
                "What answered at api_url is not the service, or was cut off."
            ) from error
        except OSError as error:
            raise ServiceUnreachable from error
        finally:
            connection.close()

    async def fetch_async(self, request: ApiRequest[A]) -> A:
        """Do the same in a thread, while the event loop goes on."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(request.timeout):
                return await loop.run_in_executor(self._threads, self.fetch, request)
        except TimeoutError as error:
            raise ServiceUnreachable from error

    def _connect(self, seconds: float) -> HTTPConnection:
        timeout = max(seconds, 0)
        if self._tls is None:
            connection = HTTPConnection(self._host, self._port, timeout=timeout)
        else:
            connection = HTTPSConnection(self._host, self._port, timeout=timeout, context=self._tls)
        deadline = time.monotonic() + seconds
        response_class: Any = functools.partial(_DeadlineResponse, deadline=deadline)
        connection.response_class = response_class
        return connection

    def _write(self, request: ApiRequest[A]) -> tuple[str, str, bytes | None, dict[str, str]]:
        headers = {"Authorization": f"Bearer {self._key}", "Connection": "close"}
        body = None
        if request.body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(request.body).encode()
        return request.method, self._prefix + request.path, body, headers


class _DeadlineReader(io.RawIOBase):
    """Reads a socket until a deadline for the whole, however slowly its bytes come."""

    def __init__(self, raw: io.RawIOBase, connection: socket.socket, deadline: float) -> None:
        self._raw = raw
        self._connection = connection
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineResponse(HTTPResponse):
    """An answer that has to be complete by a deadline."""

    def __init__(self, connection: socket.socket, *args: Any, deadline: float, **more: Any) -> None:
        super().__init__(connection, *args, **more)
        raw = cast("Any", self.fp).detach()
        self.fp = io.BufferedReader(_DeadlineReader(raw, connection, deadline))


def _split_url(api_url: str) -> SplitResult:
    try:
        parts = urlsplit(api_url)
        # What is wrong with these would else show at the first request, as no error of ours.
        (parts.hostname or "").encode("idna")
        _ = parts.port
    except ValueError:
        raise InvalidApiUrl from None
    return parts


def _read_answer(response: HTTPResponse, kind: type[A]) -> A:
    content = json.loads(response.read())
    if response.status not in (http.HTTPStatus.OK, http.HTTPStatus.CREATED):
        raise _build_refusal(response, content)
    if not dataclasses.is_dataclass(kind):
        return cast("A", content)
    # A newer service may add members that this release does not know.
    # An older one leaves out what has a default here.
    members = {
        item.name: content[item.name]
        for item in dataclasses.fields(kind)
        if item.name in content or item.default_factory is dataclasses.MISSING
    }
    if members["expires_at"] is not None:
        members["expires_at"] = datetime.fromisoformat(members["expires_at"])
    return kind(**members)


def _build_refusal(response: HTTPResponse, problem: Mapping[str, str]) -> RequestRefused:
    wait = response.getheader("Retry-After", "")
    return RequestRefused(
        response.status,
        problem["code"],
        problem["detail"],
        permanent=response.status not in _TRANSIENT_STATUSES,
        retry_after=float(wait) if wait.isdecimal() else None,
    )
