"""Where a request comes from, in a form that can be counted by and logged."""

from __future__ import annotations

import ipaddress
from typing import Final

from fastapi import Request

#: Whoever has one address of IPv6 has all of its network.
_IPV6_PREFIX: Final = 64


def get_client_address(request: Request) -> str:
    """Return where a request comes from, as the server and the proxies that it trusts tell it."""
    try:
        address = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        # A proxy can be made to pass on anything, and this text goes into a log.
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((address, _IPV6_PREFIX), strict=False))
    return str(address)
