"""Tests of the outbound proxy: it is the operator's, and what is behind it is checked as ever."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import config
from actors.providers.errors import AddressForbidden, ProviderUnreachable
from actors.providers.http.forms import post_form
from actors.providers.http.requests import get_json
from actors.providers.http.transport import shared_adapter
from tests.provider.answers import json_answer
from tests.provider.certificates import PUBLIC_NAME, self_signed_certificate
from tests.provider.proxy import Proxy, running_proxy
from tests.provider.server import Request, running_server
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("settings")
#: Each way in which a provider is called.
CALLS: list[Callable[[str], Any]] = [get_json, lambda url: post_form(url, {"a": "b"}, None).json()]
both_ways = pytest.mark.parametrize("call", CALLS, ids=["get_json", "post_form"])


@pytest.fixture
def proxy(environment: dict[str, str]) -> Iterator[Proxy]:
    """A proxy at a private address, which the settings name with its credentials."""
    with running_proxy() as running:
        configure(environment, OAUTH_PROXY_URL=f"http://me:canary@{running.host}")
        yield running
        for manager in shared_adapter().proxy_manager.values():
            manager.clear()


@pytest.fixture
def secured(
    environment: dict[str, str], tmp_path: Path
) -> Iterator[tuple[int, list[Request], Path]]:
    """A TLS server whose authority is trusted: its port, what it was asked, its certificate."""
    certificate, key = self_signed_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    received: list[Request] = []

    def answer(request: Request) -> Any:
        received.append(request)
        return json_answer({"found": True})

    with running_server(answer, context) as server:
        configure(environment, OAUTH_CA_FILE=str(certificate))
        yield int(server.server_address[1]), received, certificate


def configure(environment: dict[str, str], **variables: str) -> None:
    """Set variables, as a restart with them does."""
    environment |= variables
    config.current_settings.cache_clear()


def resolve_to(monkeypatch: pytest.MonkeyPatch, name: str, address: str) -> None:
    """Let a name server answer one address for a name."""
    real = socket.getaddrinfo

    def answer(asked: str, port: int, *more: Any, **options: Any) -> Any:
        if asked == name:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]
        return real(asked, port, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@both_ways
def test_a_public_provider_is_called_through_a_tunnel(
    call: Callable[[str], Any],
    proxy: Proxy,
    secured: tuple[int, list[Request], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a provider at a public address, which the certificate names
    port, received, _ = secured
    resolve_to(monkeypatch, PUBLIC_NAME, "1.1.1.1")

    # When it is called twice
    assert call(f"https://{PUBLIC_NAME}:{port}/somewhere") == {"found": True}
    assert call(f"https://{PUBLIC_NAME}:{port}/somewhere") == {"found": True}

    # Then it is by one tunnel to its name, and the proxy alone gets the proxy's password
    assert [(line.split(" ")[:2], secret) for line, secret in proxy.asked] == [
        (["CONNECT", f"{PUBLIC_NAME}:{port}"], "me:canary")
    ]
    assert [(request.path, request.headers["host"]) for request in received] == [
        ("/somewhere", f"{PUBLIC_NAME}:{port}")
    ] * 2
    assert "proxy-authorization" not in received[0].headers


@both_ways
def test_a_private_provider_without_tls_is_forwarded(
    call: Callable[[str], Any], proxy: Proxy, provider: ScriptedProvider, url: str
) -> None:
    provider.answer("/somewhere", json_answer({"found": True}))

    assert call(url) == {"found": True}

    (first, credentials), *_ = proxy.asked
    assert first.split(" ")[1] == url
    assert credentials == "me:canary"
    assert provider.requests[0].headers["host"] == provider.host


@both_ways
@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "169.254.169.254"])
def test_a_provider_with_a_private_address_is_not_asked_for(
    address: str, call: Callable[[str], Any], proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, "idp.example", address)

    for url in ("https://idp.example/token", f"https://{address}/token", "https://localhost/"):
        with pytest.raises(AddressForbidden):
            call(url)
    assert proxy.asked == []


@both_ways
def test_a_name_that_the_proxy_alone_resolves_has_to_be_allowed(
    call: Callable[[str], Any],
    proxy: Proxy,
    secured: tuple[int, list[Request], Path],
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port, _, _ = secured

    def resolve_nothing(name: str, *more: Any, **options: Any) -> Any:
        if name in ("localhost", "idp.example"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(name, *more, **options)

    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", resolve_nothing)

    with pytest.raises(ProviderUnreachable, match="OAUTH_ALLOWED_PRIVATE_HOSTS"):
        call("https://idp.example/token")
    assert proxy.asked == []

    configure(environment, OAUTH_ALLOWED_PRIVATE_HOSTS=f"localhost:{port}")
    assert call(f"https://localhost:{port}/token") == {"found": True}


@both_ways
def test_a_host_may_be_called_past_the_proxy(
    call: Callable[[str], Any],
    proxy: Proxy,
    provider: ScriptedProvider,
    url: str,
    environment: dict[str, str],
) -> None:
    configure(environment, OAUTH_NO_PROXY=provider.host)
    provider.answer("/somewhere", json_answer({"found": True}))

    assert call(url) == {"found": True}
    assert proxy.asked == []


@both_ways
@pytest.mark.parametrize("refusal", [b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", b""])
def test_a_proxy_that_does_not_connect_is_named_and_nothing_was_sent(
    refusal: bytes, call: Callable[[str], Any], proxy: Proxy, environment: dict[str, str]
) -> None:
    proxy.refusal = refusal
    configure(environment, OAUTH_ALLOWED_PRIVATE_HOSTS="localhost:443")

    with pytest.raises(ProviderUnreachable, match="OAUTH_PROXY_URL") as failure:
        call("https://localhost/token")

    assert ("407" in failure.value.detail) == bool(refusal)
    assert "canary" not in failure.value.detail
    assert not failure.value.is_outcome_unknown


@both_ways
def test_a_proxy_that_is_away_is_named(
    call: Callable[[str], Any], environment: dict[str, str], provider: ScriptedProvider, url: str
) -> None:
    del provider
    configure(environment, OAUTH_PROXY_URL="http://me:canary@127.0.0.1:9")

    with pytest.raises(ProviderUnreachable, match="OAUTH_PROXY_URL") as failure:
        call(url)
    assert not failure.value.is_outcome_unknown
