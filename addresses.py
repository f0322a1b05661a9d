"""Addresses among the settings: hosts, origins and paths that could never work are refused."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from settings import ConfigurationError

#: A server that listens at every address is asked at the loopback of that kind.
_ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
#: As browsers send it (RFC 6454 section 6.1): lower case, without path and default port.
_ORIGIN: Final = re.compile(
    r"(?:https://(?!.*:443$)|http://(?!.*:80$))(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?"
)
_RETURN_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@\\\s]+")
_NAME: Final = re.compile(r"(?:\*\.)?[A-Za-z0-9_.-]+")


def check_host(text: str) -> str:
    """Return HOST or `host`, an IPv6 address without its brackets."""
    host = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if not _is_ip_address(host) and (host.startswith("*") or not _NAME.fullmatch(host)):
        raise ConfigurationError(
            "HOST (or host of config.toml) must be an address or a name such as 127.0.0.1, ::1 or "
            "localhost, without scheme, port or path."
        )
    return host


def reachable_host(host: str) -> str:
    """Return an address at which this machine reaches a server that listens at `host`."""
    return _ANY_ADDRESS.get(host, host)


def host_in_url(host: str) -> str:
    """Return how the address of a server that listens at `host` is written in a URL."""
    reachable = reachable_host(host)
    return f"[{reachable}]" if ":" in reachable else reachable


def find_url_host(url: str) -> str | None:
    """Return the host of a URL as a Host header names it, an address in its shortest form.

    Return None where there is none.
    """
    try:
        host = urlsplit(url).hostname
        return str(ipaddress.ip_address(host)) if host and _is_ip_address(host) else host
    except ValueError:
        return None


def check_origins(where: str, origins: Iterable[str]) -> None:
    """Refuse an origin that no browser sends, such as one with a slash at its end."""
    for origin in origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ConfigurationError(
                f"{where} must list origins such as https://app.example.com, in lower "
                f"case, without path, slash at the end or default port, which {origin!r} is not."
            )


def is_return_origin(text: str) -> bool:
    """Return whether a text is an origin that a `return_to` may have."""
    return _RETURN_ORIGIN.fullmatch(text) is not None


def check_return_origins(where: str, origins: Iterable[str]) -> None:
    """Refuse an origin that is that of no `return_to`, such as one with a slash at its end."""
    for origin in origins:
        if not is_return_origin(origin):
            raise ConfigurationError(
                f"{where} must list origins such as https://app.example.com, without "
                f"path or slash at the end, which {origin!r} is not."
            )


def check_names(where: str, names: Iterable[str]) -> None:
    """Refuse a name that no Host header has once its port was cut off."""
    for name in names:
        if name != "*" and not _is_ip_address(name) and not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"{where} must list names such as auth.example.com, without scheme, "
                f"port or path, which {name!r} is not."
            )


def check_url_path(variable: str, url: str | None) -> str | None:
    """Return a URL; a `~` at the beginning of its path would be the name of a folder."""
    if url is not None and re.match(r"[a-z0-9+]+:/{2,4}~", url):
        raise ConfigurationError(f"{variable} begins with ~, which no URL knows: write it out.")
    return url


def expand_path(variable: str, text: str) -> Path:
    """Return a path with its `~` expanded.

    Raises:
        ConfigurationError: There is no such user, or the path is no text.
    """
    try:
        path = Path(text).expanduser()
        str(path).encode()
    except RuntimeError:
        raise ConfigurationError(f"{variable} begins with ~ and a user unknown here.") from None
    except UnicodeEncodeError:
        raise ConfigurationError(f"{variable} is a path that is not text in UTF-8.") from None
    return path


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
