"""SSRF guard: providers may be at public addresses, and where the operator explicitly allows.

A configured URL must not become a way into our own network (OWASP: server-side request forgery).
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
from typing import Final
from urllib.parse import SplitResult, urlsplit

from actors.errors import AddressForbidden, ProviderUnreachable
from actors.providers.http.happy_eyeballs import interleave_families

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


def check_url(url: str, allowed_private_hosts: frozenset[str]) -> None:
    """Make sure that a URL is https with a host, or of a host that the operator allows.

    Names are not resolved here: `resolve_permitted` does that when a connection is made.

    Raises:
        AddressForbidden: It is neither, or its host is an address that is not public, or a name
            that no public name system has.
    """
    parts, port = _split(url)
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise AddressForbidden("A provider's URL holds neither a user name nor a fragment.")
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise AddressForbidden
    if is_allowed(parts.hostname, port, allowed_private_hosts):
        return
    if parts.scheme == "http" or not all(map(is_public, _literal_addresses(parts.hostname))):
        raise AddressForbidden
    if _NEVER_PUBLIC.fullmatch(parts.hostname):
        raise AddressForbidden(f"The host {parts.hostname} has a name that is never public.")


def _literal_addresses(host: str) -> list[_Address]:
    """Return the address that a host is, in any spelling of it; none for a name."""
    with contextlib.suppress(OSError, UnicodeError):
        return [ipaddress.IPv4Address(socket.inet_aton(host))]
    with contextlib.suppress(ValueError):
        return [ipaddress.ip_address(host)]
    return []


def _split(url: str) -> tuple[SplitResult, int]:
    # URL parsers disagree on backslashes and control characters.
    if not re.fullmatch(r"[!-\[\]-~]+", url):
        raise AddressForbidden
    try:
        parts = urlsplit(url)
        return parts, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise AddressForbidden from None


def is_allowed(host: str, port: int, allowed_private_hosts: frozenset[str]) -> bool:
    """Return whether the operator allows this host and port, whatever its address is."""
    name = f"[{host}]" if ":" in host else host
    return f"{name}:{port}".lower() in allowed_private_hosts


def resolve_permitted(host: str, port: int, allowed_private_hosts: frozenset[str]) -> list[str]:
    """Resolve a host once and return the addresses to connect to, in the order to try them in.

    The caller must connect to one of these: a second look-up could yield others (DNS rebinding).

    Raises:
        AddressForbidden: One of the host's addresses is not public, and the host is not allowed.
        ProviderUnreachable: The host has no address.
    """
    addresses = resolve(host, port)
    if not is_allowed(host, port, allowed_private_hosts):
        for address in addresses:
            if not is_public(ipaddress.ip_address(address)):
                raise AddressForbidden(f"The host {host} leads to an address that is not public.")
    return addresses


def resolve(host: str, port: int) -> list[str]:
    """Return a host's addresses, whatever they are, in the order to try them in (RFC 8305).

    Raises:
        ProviderUnreachable: The host has no address.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ProviderUnreachable(f"The host {host} has no address.") from None
    return interleave_families(dict.fromkeys(str(entry[4][0]) for entry in found))


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
