"""SSRF guard: providers may be at public addresses, and where the operator explicitly allows.

A configured URL must not become a way into our own network (OWASP: server-side request forgery).
"""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import SplitResult, urlsplit

from actors.providers.errors import AddressForbidden, ProviderUnreachable
from actors.providers.http.happy_eyeballs import interleave_families
from config import is_allowed, is_never_public, is_public, literal_addresses


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
    if parts.scheme == "http" or not all(map(is_public, literal_addresses(parts.hostname))):
        raise AddressForbidden
    if is_never_public(parts.hostname):
        raise AddressForbidden(f"The host {parts.hostname} has a name that is never public.")


def check_has_domain(url: str, allowed_private_hosts: frozenset[str]) -> None:
    """Check that the host of a URL is no single label, which no public name system has.

    Such a name is a placeholder, as YOUR_DOMAIN, or one of a private network.

    Raises:
        AddressForbidden: It is one, and not allowed.
    """
    parts, port = _split(url)
    host = parts.hostname or ""
    if not set(host) & set(".:") and not is_allowed(host, port, allowed_private_hosts):
        raise AddressForbidden


def _split(url: str) -> tuple[SplitResult, int]:
    # URL parsers disagree on backslashes and control characters.
    if not re.fullmatch(r"[!-\[\]-~]+", url):
        raise AddressForbidden
    try:
        parts = urlsplit(url)
        return parts, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise AddressForbidden from None


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
