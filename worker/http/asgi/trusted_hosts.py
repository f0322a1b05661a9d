"""Which values of the Host header are answered, so that no web page can rebind its name to us."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from worker.http.errors.problems import to_problem
from worker.http.errors.refusals import HostNotTrusted


class TrustedHosts:
    """Refuses a Host header that is not listed; `*` lists all, `*.example.com` all below a name."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        """Wrap the application."""
        self._app = app
        self._hosts = tuple(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http" and not self._is_trusted(Headers(scope=scope).get("host", "")):
            await to_problem(HostNotTrusted())(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_trusted(self, header: str) -> bool:
        name = _without_port(header.lower())
        return any(
            host in ("*", name) or (host.startswith("*.") and name.endswith(host[1:]))
            for host in self._hosts
        )


def _without_port(host: str) -> str:
    """Cut the port off; an IPv6 address stands in brackets, within which colons are no end."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
