"""DNS rebinding guard: only listed values of the Host header are answered."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from worker.http.errors.problems import to_problem
from worker.http.errors.refusals import HostInvalid, HostNotTrusted

#: RFC 9110 section 7.2: a host and a port, as RFC 3986 section 3.2 writes them; no user name. Names
#: are those of DNS, since nothing else could be listed.
_HOST: Final = re.compile(
    r"(?P<name>[a-z0-9_.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?"
)
_MAX_PORT: Final = 65535
#: Of what `_HOST` matches.
_MAX_LENGTH: Final = 253 + len(":65535")


class TrustedHosts:
    """ASGI middleware that answers 400 to other hosts, and to what is not exactly one host.

    `*` in `hosts` lists all, `*.example.com` every name below example.com.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = tuple(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        name = parse_host(hosts[0].decode("latin-1")) if len(hosts) == 1 else None
        if name is None:
            await to_problem(HostInvalid())(scope, receive, send)
        elif not self._is_trusted(name):
            await to_problem(HostNotTrusted())(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_trusted(self, name: str) -> bool:
        return any(
            host in ("*", name) or (host.startswith("*.") and name.endswith(host[1:]))
            for host in self._hosts
        )


def parse_host(header: str) -> str | None:
    """Return the name or address of a Host header in lower case, or None if it is not one host.

    An IPv6 address comes without its brackets, within which a colon is no separator.
    """
    return _parse_short_host(header) if len(header) <= _MAX_LENGTH else None


# What clients make up is bounded in number and in length.
@lru_cache(maxsize=256)
def _parse_short_host(header: str) -> str | None:
    found = _HOST.fullmatch(header.lower())
    if found is None or int(found["port"] or 0) > _MAX_PORT:
        return None
    name = found["name"]
    if not name.startswith("["):
        return name
    try:
        return str(ipaddress.IPv6Address(name[1:-1]))
    except ValueError:
        return None
