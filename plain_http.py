"""Plain HTTP: addresses of browsers at which the network could read the codes of sign-ins."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import urlsplit

_LOCALHOST: Final = re.compile(r"(.+\.)?localhost\.?", re.IGNORECASE)


def is_loopback(host: str) -> bool:
    """Return whether a host never leaves the machine (RFC 6761 section 6.3, RFC 8252)."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return _LOCALHOST.fullmatch(host) is not None


def is_plain(url: str) -> bool:
    """Return whether the network could read what a browser sends to a URL."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and not is_loopback(parts.hostname or "")
    except ValueError:
        # No browser gets anywhere by it.
        return False


def find_redirect_uri_problem(uri: str) -> str | None:
    """Return why a redirect URI should not serve as it is, or None.

    Codes travel by https, and by http on the same machine alone (RFC 9700 section 2.6, RFC 8252
    section 7.3); a fragment is forbidden (RFC 6749 section 3.1.2), and each provider's own path
    goes behind the address, where a query would be in its way.
    """
    parts = urlsplit(uri)
    if is_plain(uri):
        return "is http, so the network can read codes of sign-ins, and most providers refuse it"
    if parts.query or parts.fragment or "?" in uri or "#" in uri or parts.username is not None:
        return "has a query, a fragment or a user name, which most providers refuse"
    return None


def describe_plain_addresses(
    redirect_uri: str | None, return_to_origins: Iterable[str]
) -> list[str]:
    """Return a sentence for each address that browsers bring codes to, and should not as it is.

    `redirect_uri` is None where none is set: then it leads to where the service listens.
    """
    found = [] if redirect_uri is None else list(_check_redirect_uri(redirect_uri))
    return [*found, *describe_plain_origins("[OAuth] return_to_origins", return_to_origins)]


def describe_plain_origins(where: str, origins: Iterable[str]) -> list[str]:
    """Return a sentence for each origin of a `return_to`, to which a relayed code would be sent."""
    return [
        f"{where} lists {origin}, at which the network can read the codes that are relayed: make "
        "it https."
        for origin in origins
        if is_plain(origin)
    ]


def _check_redirect_uri(uri: str) -> Iterator[str]:
    if problem := find_redirect_uri_problem(uri):
        yield f"REDIRECT_URI {problem}: set the https address of /v1/oauth/callback."
