"""Client addresses in a form that is safe to count by and to log."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final

from fastapi import Request

#: A client that has one IPv6 address has all of its network.
_IPV6_PREFIX: Final = 64


def get_client_address(request: Request) -> str:
    """Return a request's address, as the server and its trusted proxies report it.

    IPv6 is cut to its /64 network; what is no address becomes `unknown`.
    """
    return _normalize(request.client.host if request.client else "")


@lru_cache(maxsize=1024)
def _normalize(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        # A proxy can be made to pass on anything, and this text goes into a log.
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((address, _IPV6_PREFIX), strict=False))
    return str(address)
