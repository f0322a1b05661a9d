"""Tests of why a provider did not answer: in words, never by the name of an exception."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

import config
from actors.providers.errors import ProviderUnreachable
from actors.providers.http.requests import get_json
from config import Settings

Behaviour = Callable[[socket.socket], None]


@contextmanager
def listening(behave: Behaviour) -> Iterator[int]:
    """Serve each connection of the block by a function; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    behave(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def close(connection: socket.socket) -> None:
    connection.recv(65536)


def say(data: bytes) -> Behaviour:
    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(data)

    return answer


def hang(connection: socket.socket) -> None:
    connection.recv(65536)
    # Until the caller gives up.
    connection.recv(1)


@pytest.mark.parametrize(
    ("scheme", "behave", "words"),
    [
        ("http", None, "the connection was refused"),
        ("http", hang, "nothing came within 0.3 s"),
        ("http", close, "the connection was closed before an answer"),
        ("http", say(b"SSH-2.0-OpenSSH_9.9\r\n"), "what came is not an answer of HTTP"),
        ("http", say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), "the answer broke off"),
        ("https", say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "TLS failed"),
        ("https", close, "TLS failed"),
    ],
    ids=["refused", "late", "closed", "not HTTP", "broken off", "no TLS", "closed in TLS"],
)
def test_a_failure_is_told_in_words(
    scheme: str,
    behave: Behaviour | None,
    words: str,
    settings: Settings,
    environment: dict[str, str],
) -> None:
    with listening(behave or close) as listened:
        port = listened if behave else 9
        environment["OAUTH_ALLOWED_PRIVATE_HOSTS"] = f"127.0.0.1:{port}"
        config.current_settings.cache_clear()
        object.__setattr__(config.current_settings().oauth, "read_timeout_seconds", 0.3)
        with pytest.raises(ProviderUnreachable) as failed:
            get_json(f"{scheme}://127.0.0.1:{port}/jwks")

    del settings
    assert words in failed.value.detail
    assert "Error" not in failed.value.detail


def test_a_name_without_an_address_is_told_in_words(settings: Settings) -> None:
    del settings
    with pytest.raises(ProviderUnreachable) as failed:
        get_json("https://no-such-host.catfeeder-tests.com/jwks")
    assert "Error" not in failed.value.detail
