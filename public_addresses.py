"""Public addresses: a host that only our own network has is recognised before any request."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
from typing import Final
from urllib.parse import SplitResult, urlsplit

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
#: NAT64 (RFC 6052): the last four bytes are an IPv4 address, which may be a private one.
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
#: Every public IPv6 address is in this network.
_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
#: Metadata services of clouds, secrets included. `ipaddress` considers both networks public.
_METADATA: Final = (
    ipaddress.IPv4Network("192.0.0.0/24"),
    ipaddress.IPv4Network("168.63.129.16/32"),
)
#: Domains that the public name system never has: RFC 6761 sections 6.2 to 6.4, RFC 6762, RFC 7686,
#: RFC 8375, RFC 9476 and ICANN's for private use. `example` stands for public names in texts.
_NEVER_PUBLIC: Final = re.compile(
    r"(.*\.)?(localhost|localdomain|test|invalid|local|onion|home\.arpa|alt|internal)\.?",
    re.IGNORECASE,
)

#: Of a URL that every parser reads alike: without blanks, control characters and backslashes.
HTTP_URL: Final = re.compile(r"https?://[!-.0-\[\]-~][!-\[\]-~]*")
_UNLESS: Final = "unless its host:port stands in OAUTH_ALLOWED_PRIVATE_HOSTS"


def find_webhook_problem(url: str, private_hosts: frozenset[str]) -> str | None:
    """Return why no event would ever be delivered to a URL, or None; the URL is not repeated.

    A name is looked up, and its address checked, at each delivery.
    """
    if not HTTP_URL.fullmatch(url):
        return "must begin with https:// or http:// and a host"
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return "is not a URL"
    if "@" in parts.netloc or parts.fragment:
        return "must hold no user name, password or fragment"
    return None if is_allowed(parts.hostname or "", port, private_hosts) else _find_private(parts)


def _find_private(parts: SplitResult) -> str | None:
    host = parts.hostname or ""
    if parts.scheme == "http":
        return f"must begin with https://, {_UNLESS}"
    if is_never_public(host) or not all(map(is_public, literal_addresses(host))):
        return f"must not lead to a private address, {_UNLESS}"
    return None


def is_allowed(host: str, port: int, allowed_private_hosts: frozenset[str]) -> bool:
    """Return whether the operator allows this host and port, whatever its address is."""
    name = f"[{host}]" if ":" in host else host
    return f"{name}:{port}".lower() in allowed_private_hosts


def literal_addresses(host: str) -> list[_Address]:
    """Return the address that a host is, in any spelling of it; none for a name."""
    with contextlib.suppress(OSError, UnicodeError):
        return [ipaddress.IPv4Address(socket.inet_aton(host))]
    with contextlib.suppress(ValueError):
        return [ipaddress.ip_address(host)]
    return []


def is_never_public(host: str) -> bool:
    """Return whether no public name system has a name."""
    return _NEVER_PUBLIC.fullmatch(host) is not None


def is_public(address: _Address) -> bool:
    """Return whether an address is globally reachable; IPv4 embedded in IPv6 is checked as IPv4."""
    if isinstance(address, ipaddress.IPv4Address):
        is_metadata = any(address in network for network in _METADATA)
        return address.is_global and not address.is_multicast and not is_metadata
    if embedded := _embedded_ipv4(address):
        return all(is_public(inner) for inner in embedded)
    return address in _GLOBAL_UNICAST and address.is_global


def _embedded_ipv4(address: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """Return the IPv4 addresses that traffic to an IPv6 address ends at or passes through."""
    if address in _NAT64:
        return [ipaddress.IPv4Address(address.packed[-4:])]
    if address.teredo:
        return list(address.teredo)
    inner = address.ipv4_mapped or address.sixtofour
    return [inner] if inner is not None else []
