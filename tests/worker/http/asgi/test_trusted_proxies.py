"""Addresses behind proxies: the listed ones alone are believed what they say of a client."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from config import ConfigurationError, load_settings
from worker.http.asgi.trusted_proxies import TrustedProxies

pytestmark = pytest.mark.anyio
_PROXIES = ("127.0.0.1", "10.0.0.0/8", "2001:db8:ffff::/48", "unix")


async def _see(
    headers: list[tuple[str, str]], peer: str | None = "127.0.0.1", *requests: TrustedProxies
) -> tuple[Any, str]:
    """Return the client and the scheme that the application sees."""
    seen: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope)

    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    scope: Scope = {"type": "http", "headers": raw, "scheme": "http"}
    scope["client"] = None if peer is None else (peer, 1)
    [proxies] = requests or [TrustedProxies(app, _PROXIES)]
    proxies._app = app
    await proxies(scope, None, None)  # type: ignore[arg-type]
    client = seen[0]["client"]
    return client and client[0], seen[0]["scheme"]


_XFF = "X-Forwarded-For"


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        ([(_XFF, "192.0.2.7")], "192.0.2.7"),
        ([], "127.0.0.1"),
        # What stands further left is the client's own word.
        ([(_XFF, "203.0.113.9, 192.0.2.7")], "192.0.2.7"),
        ([(_XFF, "203.0.113.9"), (_XFF, "192.0.2.7")], "192.0.2.7"),
        ([(_XFF, "203.0.113.9, 192.0.2.7, 10.1.2.3, 10.9.9.9")], "192.0.2.7"),
        ([(_XFF, "10.0.0.5, 10.1.2.3")], "10.0.0.5"),
        ([(_XFF, ", ".join(["203.0.113.9"] * 5000 + ["10.0.0.1"] * 40))], "10.0.0.1"),
        # Ports, IPv6 and addresses of IPv4 within it
        ([(_XFF, "192.0.2.7:4711")], "192.0.2.7"),
        ([(_XFF, "2001:db8::7")], "2001:db8::7"),
        ([(_XFF, "[2001:db8::7]:443")], "2001:db8::7"),
        ([(_XFF, "::ffff:192.0.2.7, ::ffff:10.0.0.1")], "192.0.2.7"),
        ([(_XFF, "192.0.2.7, 2001:db8:ffff::1")], "192.0.2.7"),
        # Junk is no address, and what is left of it is not believed.
        ([(_XFF, "192.0.2.7, evil\tERROR forged")], "unknown"),
        ([(_XFF, "192.0.2.7, ")], "unknown"),
        ([(_XFF, "")], "unknown"),
        ([(_XFF, "[::1")], "unknown"),
        # RFC 7239
        ([("Forwarded", "for=192.0.2.7;proto=http;by=10.0.0.1")], "192.0.2.7"),
        ([("Forwarded", 'For="[2001:db8::7]:4711"')], "2001:db8::7"),
        ([("Forwarded", "for=203.0.113.9, for=192.0.2.7, for=10.0.0.1")], "192.0.2.7"),
        ([("Forwarded", "for=203.0.113.9"), ("Forwarded", "for=192.0.2.7")], "192.0.2.7"),
        ([("Forwarded", "for=_hidden")], "unknown"),
        ([("Forwarded", "for=unknown")], "unknown"),
        # A proxy that sets one header passes the other on as it came.
        ([(_XFF, "192.0.2.7"), ("Forwarded", "for=192.0.2.7")], "192.0.2.7"),
        ([(_XFF, "192.0.2.7"), ("Forwarded", "for=203.0.113.9")], "127.0.0.1"),
    ],
    ids=lambda value: str(value)[:50],
)
async def test_the_last_address_that_is_no_proxys_is_the_clients(
    headers: list[tuple[str, str]], client: str
) -> None:
    assert (await _see(headers))[0] == client


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        ([("X-Forwarded-Proto", "https")], "https"),
        ([("X-Forwarded-Proto", "https, http")], "http"),
        ([("X-Forwarded-Proto", "gopher")], "http"),
        ([("Forwarded", "for=192.0.2.7;proto=https")], "https"),
        ([("X-Forwarded-Proto", "https"), ("Forwarded", "proto=http")], "http"),
    ],
    ids=lambda value: str(value)[:50],
)
async def test_the_scheme_is_the_proxys(headers: list[tuple[str, str]], scheme: str) -> None:
    assert (await _see(headers))[1] == scheme


@pytest.mark.parametrize("peer", ["198.51.100.1", "2001:db8::1", "11.0.0.1", "junk"])
async def test_another_peer_is_not_believed_and_told_of_once(
    peer: str, caplog: pytest.LogCaptureFixture
) -> None:
    proxies = TrustedProxies(None, _PROXIES)  # type: ignore[arg-type]
    headers = [(_XFF, "192.0.2.7"), ("X-Forwarded-Proto", "https")]
    for _ in range(3):
        assert await _see(headers, peer, proxies) == (peer, "http")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "192.0.2.7" not in caplog.text


async def test_a_unix_socket_has_no_address() -> None:
    assert (await _see([(_XFF, "192.0.2.7")], None))[0] == "192.0.2.7"
    closed = TrustedProxies(None, ["127.0.0.1"])  # type: ignore[arg-type]
    assert (await _see([(_XFF, "192.0.2.7")], None, closed))[0] is None


@pytest.mark.parametrize("entry", ["example.com", "10.0.0.1/8", "*", ""])
async def test_a_proxy_is_an_address_or_a_network(entry: str) -> None:
    with pytest.raises(ConfigurationError, match="trusted_proxies"):
        load_settings({}, {"Server_configuration": {"trusted_proxies": [entry]}})
