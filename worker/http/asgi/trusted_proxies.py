"""Addresses behind proxies: X-Forwarded-For and Forwarded (RFC 7239) of trusted ones.

A client can send these headers itself, so no other peer is believed, and of a list only what the
trusted proxies have added: the last address that is none of theirs.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

_log: Final = logging.getLogger(__name__)
#: The entry of `trusted_proxies` for a proxy that comes by a Unix socket, which has no address.
UNIX: Final = "unix"
#: More proxies than stand in one row; what is before them is the client's own.
_MAX_HOPS: Final = 32
_FORWARDED: Final = (b"x-forwarded-for", b"forwarded")
_SCHEMES: Final = ("http", "https")
#: A parameter of RFC 7239 section 4, whose value may be quoted.
_PARAMETER: Final = re.compile(r'([a-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))', re.IGNORECASE)
#: An address with a port: in brackets for IPv6.
_NODE: Final = re.compile(r"\[([0-9a-fA-F:.]+)\](?::\w+)?|([0-9.]+)(?::\w+)?")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class TrustedProxies:
    """ASGI middleware that sets a request's client and scheme by what trusted proxies say."""

    def __init__(self, app: ASGIApp, proxies: Iterable[str]) -> None:
        """`proxies` are addresses, networks, and `unix`."""
        self._app = app
        entries = list(proxies)
        self._trusts_unix = UNIX in entries
        self._networks = [ipaddress.ip_network(entry) for entry in entries if entry != UNIX]
        self._trusts_any = bool(entries)
        self._has_warned = False
        # Of peers alone, whose addresses no client can make up.
        self._is_trusted_address = lru_cache(maxsize=1024)(self._parse_and_look_up)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with the client's own address and scheme."""
        if scope["type"] == "http" and (
            self._networks or self._trusts_unix or _is_forwarded(scope)
        ):
            self._apply(scope)
        await self._app(scope, receive, send)

    def _apply(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        x_forwarded = headers.getlist("x-forwarded-for")
        forwarded = headers.getlist("forwarded")
        if not self._is_trusted_peer(scope.get("client")):
            self._warn(bool(x_forwarded or forwarded))
            return
        elements = [dict(_parse_element(text)) for text in _split(forwarded)]
        listed = {
            self._find_client(hops)
            for hops in (_split(x_forwarded), [each.get("for", "") for each in elements])
            if hops
        }
        # A proxy that sets one of the two passes the other on, as its client has forged it.
        if len(listed) == 1:
            scope["client"] = (listed.pop(), 0)
        schemes = [*_split(headers.getlist("x-forwarded-proto"))[-1:], *_last_scheme(elements)]
        if len(set(schemes)) == 1 and schemes[0] in _SCHEMES:
            scope["scheme"] = schemes[0]

    def _is_trusted_peer(self, client: Sequence[object] | None) -> bool:
        if not client or not client[0]:
            return self._trusts_unix
        return self._is_trusted_address(str(client[0]))

    def _parse_and_look_up(self, text: str) -> bool:
        address = parse_node(text)
        return address is not None and self._is_trusted(address)

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._networks)

    def _find_client(self, hops: Sequence[str]) -> str:
        """Return the last address that is no trusted proxy's, or what is no address."""
        for hop in reversed(hops[-_MAX_HOPS:]):
            address = parse_node(hop)
            if address is None:
                return "unknown"
            if not self._is_trusted(address):
                return str(address)
        return str(parse_node(hops[-_MAX_HOPS:][0]))

    def _warn(self, is_forwarded: bool) -> None:
        if is_forwarded and not self._has_warned:
            self._has_warned = True
            _log.warning(
                "A peer that is not in trusted_proxies of config.toml says whom it forwards for, "
                "which is not believed. If it is your proxy, all its clients are counted as one: "
                "add its address."
            )


def _is_forwarded(scope: Scope) -> bool:
    return any(name in _FORWARDED for name, _ in scope["headers"])


def parse_node(text: str) -> Address | None:
    """Return the address of a hop, with or without a port; None for what is no address."""
    text = text.strip()
    found = _NODE.fullmatch(text)
    try:
        address = ipaddress.ip_address((found[1] or found[2]) if found else text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _split(values: Sequence[str]) -> list[str]:
    """Return the elements of a list that may come in several headers."""
    return [part.strip() for part in ",".join(values).split(",")] if values else []


def _parse_element(text: str) -> Iterable[tuple[str, str]]:
    for name, quoted, plain in _PARAMETER.findall(text):
        yield name.lower(), quoted or plain


def _last_scheme(elements: Sequence[dict[str, str]]) -> list[str]:
    return [element["proto"].lower() for element in elements[-1:] if "proto" in element]
