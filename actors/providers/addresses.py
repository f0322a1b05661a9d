"""Which addresses a provider may live at: public ones, and the few that the operator names.

A configured URL must not become a way into our own network (server-side request forgery).
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from actors.errors import AddressForbidden, ProviderUnreachable

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
#: NAT64 (RFC 6052): the last four bytes are an IPv4 address that may be anybody's.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def check_url(url: str, allowed_private_hosts: frozenset[str]) -> None:
    """Make sure that a URL is https with a host, or of a host that the operator allows.

    Raises:
        AddressForbidden: It is neither.
    """
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise AddressForbidden("A provider's URL holds neither a user name nor a fragment.")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    is_allowed = f"{parts.hostname}:{port}" in allowed_private_hosts
    if not parts.hostname or not (
        parts.scheme == "https" or (parts.scheme == "http" and is_allowed)
    ):
        raise AddressForbidden


def permitted_address(host: str, port: int, allowed_private_hosts: frozenset[str]) -> str:
    """Resolve a host once and return the address to connect to.

    Whoever connects must use this very address: asking the name server again could yield another
    answer (DNS rebinding).

    Raises:
        AddressForbidden: One of the host's addresses is not public, and the host is not allowed.
        ProviderUnreachable: The host has no address.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ProviderUnreachable(f"The host {host} has no address.") from None
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    if f"{host}:{port}".lower() not in allowed_private_hosts:
        for address in addresses:
            if not is_public(ipaddress.ip_address(address)):
                raise AddressForbidden(f"The host {host} leads to an address that is not public.")
    return addresses[0]


def is_public(address: _Address) -> bool:
    """Tell whether an address is of the open Internet, whichever way IPv4 is written in IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in _NAT64:
            inner = ipaddress.IPv4Address(address.packed[-4:])
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast
