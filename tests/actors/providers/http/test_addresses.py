"""Tests of the SSRF guard: no configured URL is a way into our own network."""

from __future__ import annotations

import ipaddress
import socket

import pytest

from actors.providers.errors import AddressForbidden, ProviderUnreachable
from actors.providers.http.addresses import check_url, resolve_permitted
from config import is_allowed, is_public

NO_HOSTS: frozenset[str] = frozenset()
#: Spellings of addresses of loopback.
LOOPBACK = ("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0")
INSIDE = frozenset({"127.0.0.1:9000", "[::1]:9000", "idp.internal:443", "idp.internal:9000"})


@pytest.mark.parametrize(
    "url",
    [
        "https://accounts.example.com",
        "https://accounts.example.com/o/oauth2/v2/auth?prompt=consent",
        "https://accounts.example.com:8443/token",
        "https://[2606:4700::1111]/token",
        # A name is resolved when a connection is made, and not before.
        "https://no-such-name.example.com/token",
        "https://localhost.example.com/token",
        "https://contest/token",
    ],
)
def test_https_with_a_host_may_be_called(url: str) -> None:
    check_url(url, NO_HOSTS)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "accounts.example.com",
        "//accounts.example.com/token",
        "http://accounts.example.com/token",
        "ftp://accounts.example.com/token",
        "file:///etc/passwd",
        "gopher://accounts.example.com",
        "javascript:alert(1)",
        "data:application/json,{}",
        "https://",
        "https:///token",
        "https://:443/token",
        "https://user@accounts.example.com/token",
        "https://user:password@accounts.example.com/token",
        "https://@accounts.example.com/token",
        "https://accounts.example.com/token#fragment",
        "https://accounts.example.com:port/token",
        "https://accounts.example.com:99999/token",
        "https://[::1/token",
        "https://accounts.example.com\\@127.0.0.1/token",
        "https://accounts.example.com/to ken",
        "https://accounts.example.com/\r\nX-Injected: yes",
        "https://accounts.example.com/\ttoken",
        "https://\u0430ccounts.example.com/token",
    ],
)
def test_any_other_url_is_refused(url: str) -> None:
    with pytest.raises(AddressForbidden):
        check_url(url, NO_HOSTS)


@pytest.mark.parametrize(
    "host",
    [
        *(*LOOPBACK, "10.0.0.1", "169.254.169.254"),
        *("[::1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[fe80::1%25eth0]"),
    ],
)
def test_a_literal_private_address_is_refused_in_a_url(host: str) -> None:
    with pytest.raises(AddressForbidden):
        check_url(f"https://{host}/token", NO_HOSTS)
    # An exception holds for https as well
    check_url(f"https://{host}/token", frozenset({f"{host}:443"}))


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LocalHost", "localhost.", "idp.localhost", "localhost.localdomain"),
        *("idp.test", "idp.invalid", "idp.local", "idp.internal", "idp.home.arpa"),
        *("duskgytldkxiuqc6.onion", "idp.alt"),
    ],
)
def test_a_name_that_is_never_public_is_refused_in_a_url(host: str) -> None:
    with pytest.raises(AddressForbidden, match="never public"):
        check_url(f"https://{host}/token", NO_HOSTS)
    check_url(f"https://{host}/token", frozenset({f"{host.lower()}:443"}))


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9000/token", "http://[::1]:9000/x", "http://IDP.internal:9000/x"]
)
def test_an_allowed_host_needs_no_tls(url: str) -> None:
    check_url(url, INSIDE)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9001/x", "http://127.0.0.1/x", "http://127.0.0.2:9000/x"]
)
def test_an_allowed_host_is_one_host_and_port(url: str) -> None:
    with pytest.raises(AddressForbidden):
        check_url(url, INSIDE)


@pytest.mark.parametrize("url", ["http://a\\b.example", "http://127.0.0.1:9000\\@example.com/"])
def test_an_ambiguous_url_is_refused_even_for_an_allowed_host(url: str) -> None:
    with pytest.raises(AddressForbidden):
        check_url(url, INSIDE)


@pytest.mark.parametrize(
    "address",
    [
        *("1.1.1.1", "142.250.0.1", "172.15.0.1", "2606:4700::1111", "2a00:1450:4001::1"),
        # NAT64 (RFC 6052), the only way to IPv4 from some networks, and 6to4 (RFC 3056)
        *("64:ff9b::101:101", "2002:101:101::1"),
    ],
)
def test_a_globally_reachable_address_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


#: Addresses that are not globally reachable, by what they are.
NOT_PUBLIC = {
    "IPv4: this network, private, shared": """
        0.0.0.0 0.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1""",
    "IPv4: loopback, link-local": "127.0.0.1 127.255.255.254 169.254.0.1",
    "IPv4: documentation, benchmarks": "192.0.2.1 198.51.100.1 203.0.113.1 198.18.0.1",
    "IPv4: multicast": "224.0.0.1 224.0.1.1 239.255.255.250",
    "IPv4: reserved, broadcast": "240.0.0.1 255.255.255.255",
    "metadata of AWS, Google and Azure, Alibaba, Oracle, Azure": """
        169.254.169.254 100.100.100.200 192.0.0.192 168.63.129.16 fd00:ec2::254 fd20:ce::254""",
    "IPv6: unspecified, loopback": ":: ::1",
    "IPv6: unique local, link-local, site-local": "fc00::1 fd12:3456::1 fe80::1 fec0::1",
    "IPv6: multicast, documentation, discard, ORCHID": """
        ff02::1 ff0e::1 2001:db8::1 100::1 2001:10::1""",
    "IPv4-mapped": "::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254",
    "IPv4-compatible and translated": "::127.0.0.1 ::a9fe:a9fe ::ffff:0:127.0.0.1",
    "NAT64": "64:ff9b::127.0.0.1 64:ff9b::169.254.169.254 64:ff9b:1::7f00:1",
    "6to4": "2002:7f00:1::1 2002:a9fe:a9fe::1 2002:c0a8:101::1",
    "Teredo": "2001:0:7f00:1:: 2001:0:101:101:0:0:80ff:fffe",
}


@pytest.mark.parametrize("address", " ".join(NOT_PUBLIC.values()).split())
def test_every_other_address_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("host", ["localhost", *LOOPBACK, "::1", "::ffff:127.0.0.1"])
def test_loopback_is_refused_however_it_is_spelt(host: str) -> None:
    with pytest.raises(AddressForbidden, match="not public"):
        resolve_permitted(host, 443, NO_HOSTS)


def test_an_allowed_host_may_have_any_address() -> None:
    assert resolve_permitted("127.0.0.1", 9000, INSIDE) == ["127.0.0.1"]
    assert resolve_permitted("::1", 9000, INSIDE) == ["::1"]
    with pytest.raises(AddressForbidden):
        resolve_permitted("127.0.0.1", 9001, INSIDE)


def test_a_name_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    name_server(monkeypatch, ["1.1.1.1", "10.0.0.1"])

    with pytest.raises(AddressForbidden, match=r"idp\.example leads"):
        resolve_permitted("idp.example", 443, NO_HOSTS)


def test_a_name_is_resolved_once_to_all_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = name_server(
        monkeypatch, ["2606:4700::1", "2606:4700::2", "2606:4700::1", "1.0.0.1", "8.8.8.8"]
    )

    # The families by turns, so that one that is broken costs little (RFC 8305)
    assert resolve_permitted("idp.example", 443, NO_HOSTS) == [
        *("2606:4700::1", "1.0.0.1", "2606:4700::2", "8.8.8.8")
    ]
    assert asked == ["idp.example"]


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".example", ".."])
def test_a_name_without_an_address_is_unreachable(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def without_network(name: str, *more: object, **options: object) -> object:
        if name.endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(name, *more, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", without_network)

    with pytest.raises(ProviderUnreachable, match="has no address"):
        resolve_permitted(host, 443, NO_HOSTS)


def test_allowed_hosts_ignore_case_and_bracket_ipv6() -> None:
    assert is_allowed("IDP.Internal", 443, INSIDE)
    assert is_allowed("::1", 9000, INSIDE)
    assert not is_allowed("idp.internal.", 443, INSIDE)


def name_server(monkeypatch: pytest.MonkeyPatch, addresses: list[str]) -> list[str]:
    """Answer these addresses for every name; return the names that are resolved."""
    asked = []

    def answer(name: str, port: int, **_options: object) -> list[object]:
        asked.append(name)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked
