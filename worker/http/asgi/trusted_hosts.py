"""DNS rebinding guard: only listed values of the Host header are answered."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from worker.http.errors.problems import to_problem
from worker.http.errors.refusals import HostNotTrusted


class TrustedHosts:
    """ASGI middleware that answers 400 to other hosts.

    `*` in `hosts` lists all, `*.example.com` every name below example.com.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = tuple(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http" and not self._is_trusted(Headers(scope=scope).get("host", "")):
            await to_problem(HostNotTrusted())(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_trusted(self, header: str) -> bool:
        name = _strip_port(header.lower())
        return any(
            host in ("*", name) or (host.startswith("*.") and name.endswith(host[1:]))
            for host in self._hosts
        )


def _strip_port(host: str) -> str:
    """Cut the port off; an IPv6 address is in brackets, within which a colon is no separator."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
