"""The two requests that the queue cannot carry, by HTTP: to begin a sign-in and to get a token.

Who holds the queue key may ask for work, and opens nothing that is stored. A message that answers
with a stored token would end that: so `access_token` needs an API key with the scope `tokens:read`,
which can be limited, watched and taken back. `authorize` stores a row and reads the provider's,
which the service's HTTP process does at once, without a worker; it needs the scope `jobs`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import http.client
import io
import json
import re
import socket
import ssl
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import SplitResult, quote, urlsplit

from catfeeder.errors import InvalidApiKey, InvalidApiUrl, RequestRefused, ServiceUnreachable
from catfeeder.results import AccessToken, Authorization

A = TypeVar("A", Authorization, AccessToken)

_CHUNK_BYTES: Final = 65536
#: What may succeed a moment later: the service or a provider was busy, or away.
_PASSING: Final = frozenset({408, 429, 502, 503, 504})


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """A request, as it is written onto a connection that serves for it alone."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None


def authorizing(
    provider: str, subject: str | None, scope: str | None, return_to: str | None, *, relay: bool
) -> Request:
    """Return the request that begins a sign-in."""
    wishes = {"subject": subject, "scope": scope, "return_to": return_to, "relay": relay or None}
    body = {name: value for name, value in wishes.items() if value is not None}
    return Request("POST", f"/v1/oauth/{quote(provider, safe='')}/authorize", body)


def reading_token(connection_id: str) -> Request:
    """Return the request for a connection's token."""
    return Request("GET", f"/v1/connections/{quote(connection_id, safe='')}/token")


class HttpApi:
    """The service's HTTP side, of which an app needs its address and an API key."""

    def __init__(self, api_url: str, api_key: str) -> None:
        """Take the URL that the service is reached at, without `/v1`, and a key of the app's own.

        Raises:
            InvalidApiUrl, InvalidApiKey: They are not.
        """
        # What could end a line of the header would let in lines of whoever chose it.
        if not re.fullmatch(r"https?://[^\s/@?#:][^\s/@?#]*(/[^\s?#]*)?", api_url):
            raise InvalidApiUrl
        if not re.fullmatch("[!-~]+", api_key):
            raise InvalidApiKey
        parts = _split(api_url)
        self._authority = parts.netloc
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._prefix = quote(parts.path.rstrip("/"))
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._key = api_key

    def fetch(self, request: Request, kind: type[A], seconds: float) -> A:
        """Send a request and return the answer.

        Raises:
            RequestRefused: The service refused it; code and sentence are the service's.
            ServiceUnreachable: Nobody answered within `seconds`, or nobody of ours.
        """
        deadline = time.monotonic() + seconds
        try:
            with self._connected(seconds) as connection:
                connection.sendall(self._written(request))
                answer = b"".join(iter(lambda: _received(connection, deadline), b""))
        except OSError as error:
            raise ServiceUnreachable from error
        return _read(answer, kind)

    async def fetch_async(self, request: Request, kind: type[A], seconds: float) -> A:
        """Do the same in asyncio."""
        try:
            async with asyncio.timeout(seconds):
                reader, writer = await asyncio.open_connection(
                    self._host, self._port, ssl=self._tls
                )
                try:
                    writer.write(self._written(request))
                    answer = await reader.read()
                finally:
                    writer.close()
        except OSError as error:
            raise ServiceUnreachable from error
        return _read(answer, kind)

    def _connected(self, seconds: float) -> socket.socket:
        address = (self._host, self._port)
        connection = socket.create_connection(address, timeout=max(seconds, 0))
        if self._tls is None:
            return connection
        return self._tls.wrap_socket(connection, server_hostname=self._host)

    def _written(self, request: Request) -> bytes:
        body = b"" if request.body is None else json.dumps(request.body).encode()
        lines = [
            f"{request.method} {self._prefix}{request.path} HTTP/1.1",
            f"Host: {self._authority}",
            f"Authorization: Bearer {self._key}",
            "Connection: close",
        ]
        if request.body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + body


class _Received:
    """The socket that http.client reads an answer from; all of it has come already."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._answer)


def _split(api_url: str) -> SplitResult:
    try:
        parts = urlsplit(api_url)
        # What is wrong with these would else show at the first request, as no error of ours.
        (parts.hostname or "").encode("idna")
        _ = parts.port
    except ValueError:
        raise InvalidApiUrl from None
    return parts


def _received(connection: socket.socket, deadline: float) -> bytes:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)
    return connection.recv(_CHUNK_BYTES)


def _read(answer: bytes, kind: type[A]) -> A:
    response = http.client.HTTPResponse(_Received(answer))  # type: ignore[arg-type]
    try:
        response.begin()
        content = json.loads(response.read())
        if response.status != http.HTTPStatus.OK:
            raise _refusal(response, content)
        return kind(**_members(content, kind))
    # A proxy's page in place of an answer, or an answer that was cut off.
    except (http.client.HTTPException, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ServiceUnreachable(
            "What answered at api_url is not the service, or was cut off."
        ) from error


def _refusal(response: http.client.HTTPResponse, problem: Mapping[str, str]) -> RequestRefused:
    wait = response.getheader("Retry-After", "")
    return RequestRefused(
        response.status,
        problem["code"],
        problem["detail"],
        permanent=response.status not in _PASSING,
        retry_after=float(wait) if wait.isdecimal() else None,
    )


def _members(content: Mapping[str, Any], kind: type[A]) -> dict[str, Any]:
    # A newer service may tell more than we know of.
    members = {item.name: content[item.name] for item in dataclasses.fields(kind)}
    if members["expires_at"] is not None:
        members["expires_at"] = datetime.fromisoformat(members["expires_at"])
    return members
