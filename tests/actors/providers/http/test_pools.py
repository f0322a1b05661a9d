"""Tests of connections: to checked addresses only, each answer with a deadline of its own."""

from __future__ import annotations

import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import config
from actors.providers.errors import AddressForbidden, ProviderUnreachable
from actors.providers.http import pools
from actors.providers.http.pools import _DeadlineStream
from actors.providers.http.requests import get_json
from config import Settings
from tests.actors.providers.clock import Clock
from tests.provider.answers import Answer, json_answer
from tests.provider.certificates import self_signed_certificate
from tests.provider.server import Request
from tests.scripted_provider import ScriptedProvider, running_scripted_provider

pytestmark = pytest.mark.usefixtures("settings")


def test_plain_http_is_refused_at_connect_too(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a URL that has passed the check, and a public address
    called = refused_connections(monkeypatch)
    name_server(monkeypatch, [["1.1.1.1"]])
    monkeypatch.setattr("actors.providers.http.transport.check_url", lambda *_: None)

    with pytest.raises(AddressForbidden):
        get_json("http://public.example/jwks")

    assert called == []


def test_the_checked_address_is_the_one_that_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a name server whose first answer is public and whose next ones are loopback (rebinding)
    name_server(monkeypatch, [["1.1.1.1"], ["127.0.0.1"], ["127.0.0.1"]])
    called = refused_connections(monkeypatch)

    # When it is called
    with pytest.raises(ProviderUnreachable):
        get_json("https://rebinding.example/jwks")

    # Then the first answer is what counts
    assert called == [("1.1.1.1", 443)]


def test_a_dead_address_falls_back_to_the_next_and_keeps_the_host_name(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_scripted_provider() as provider, socket.socket() as closed:
        # Given a name with two addresses, the first of them dead
        closed.bind(("127.0.0.2", 0))
        port = int(provider.host.partition(":")[2])
        environment["OAUTH_ALLOWED_PRIVATE_HOSTS"] = f"idp.test:{port}"
        real = socket.getaddrinfo

        def resolve(name: str, *more: Any, **options: Any) -> Any:
            if name != "idp.test":
                return real(name, *more, **options)
            kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*kind, ("127.0.0.2", port)), (*kind, ("127.0.0.1", port))]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        config.current_settings.cache_clear()

        # When it is called
        get_json(f"http://idp.test:{port}/jwks")

        # Then the second answers, and is called by its name
        assert provider.requests[0].headers["host"] == f"idp.test:{port}"


def name_server(monkeypatch: pytest.MonkeyPatch, answers: list[list[str]]) -> None:
    """Answer these addresses in turn, whatever the name."""

    def resolve(_name: str, port: int, **_options: object) -> list[object]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, (address, port)) for address in answers.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def refused_connections(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Refuse every connection, and return where they were to lead."""
    called: list[tuple[str, int]] = []

    def connect(addresses: list[str], port: int, *_more: object) -> socket.socket:
        called.extend((address, port) for address in addresses)
        raise ConnectionRefusedError

    monkeypatch.setattr(pools, "connect_any", connect)
    return called


def test_after_the_deadline_arrived_bytes_are_read_without_waiting() -> None:
    # Given an answer that arrives while the process is frozen until the deadline is over
    reading, writing = socket.socketpair()
    with reading, writing, _DeadlineStream(reading, 0) as stream:
        writing.send(b"tokens")
        buffer = bytearray(6)

        assert stream.readinto(buffer) == 6
        assert buffer == b"tokens"
        with pytest.raises(TimeoutError):
            stream.readinto(buffer)


def test_after_the_deadline_arrived_bytes_are_read_over_tls(tmp_path: Path) -> None:
    ours, theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate, key = self_signed_certificate(tmp_path)
    theirs.load_cert_chain(certificate, key)
    ours.load_verify_locations(certificate)
    reading, writing = socket.socketpair()
    with ThreadPoolExecutor() as pool:
        accepting = pool.submit(theirs.wrap_socket, writing, server_side=True)
        client = ours.wrap_socket(reading, server_hostname="localhost")
        server = accepting.result()
    with client, server, _DeadlineStream(client, 0) as stream:
        server.send(b"tok")
        server.send(b"ens")
        buffer = bytearray(6)

        # A record at a time
        assert (stream.readinto(buffer), stream.readinto(buffer)) == (3, 3)
        with pytest.raises(TimeoutError):
            stream.readinto(buffer)


def test_a_silent_socket_times_out_at_the_deadline() -> None:
    reading, writing = socket.socketpair()
    reading.settimeout(60)
    begun = time.monotonic()
    with reading, writing, _DeadlineStream(reading, 0.05) as stream, pytest.raises(TimeoutError):
        stream.readinto(bytearray(4))

    assert 0.05 <= time.monotonic() - begun < 60


def test_each_answer_on_a_connection_has_its_own_deadline(
    provider: ScriptedProvider, url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a connection on which an answer took most of its time
    clock = Clock()
    monkeypatch.setattr(pools, "time", SimpleNamespace(monotonic=clock))

    def answer(_request: Request) -> Answer:
        clock.seconds += 0.6 * settings.oauth.read_timeout_seconds
        return json_answer({})

    provider.answer("/somewhere", answer)

    # Then the next one has its own
    assert get_json(url) == {}
    assert get_json(url) == {}
    assert len({request.peer_port for request in provider.requests}) == 1
