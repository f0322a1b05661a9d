"""Tests of form posts: over TLS connections that are kept alive, each form exactly once."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests.adapters
from requests.auth import HTTPBasicAuth

import config
from actors.providers.errors import ProviderUnreachable
from actors.providers.http.forms import post_form
from actors.providers.http.transport import shared_adapter
from tests.provider.answers import Answer, broken_off, json_answer
from tests.provider.certificates import self_signed_certificate
from tests.provider.server import Request, running_server
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("settings")


class TrustedServer:
    """A TLS server with a trusted certificate that counts handshakes."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.handshakes = 0
        self.requests: list[Request] = []
        self.url = ""
        self._lock = threading.Lock()
        context.sni_callback = lambda *_: self._count()

    def _count(self) -> None:
        with self._lock:
            self.handshakes += 1

    def answer(self, request: Request) -> Answer:
        """Echo the form."""
        self.requests.append(request)
        return json_answer(request.form)


@pytest.fixture
def trusted(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TrustedServer]:
    """The server, whose certificate is the only trusted one."""
    certificate, key = self_signed_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(certificate))
    server = TrustedServer(context)
    with running_server(server.answer, context) as running:
        host = f"localhost:{running.server_address[1]}"
        environment["OAUTH_ALLOWED_PRIVATE_HOSTS"] = host
        config.current_settings.cache_clear()
        server.url = f"https://{host}/token"
        yield server
        shared_adapter().close()


def test_a_form_is_sent_in_one_write(environment: dict[str, str]) -> None:
    # Given a server that reads only once
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"127.0.0.1:{server.getsockname()[1]}"
        environment["OAUTH_ALLOWED_PRIVATE_HOSTS"] = host
        config.current_settings.cache_clear()

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                received.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        with ThreadPoolExecutor(1) as pool:
            answering = pool.submit(answer)

            # When a form is posted
            assert post_form(f"http://{host}/token", {"a": "b"}, None).json() == {}
            answering.result(30)

    # Then that read has all of it
    assert received[0].startswith(b"POST /token HTTP/1.1\r\n")
    assert received[0].endswith(b"\r\n\r\na=b")


def test_sequential_posts_share_one_handshake(trusted: TrustedServer) -> None:
    for number in range(20):
        assert post_form(trusted.url, {"number": str(number)}, None).json() == {
            "number": str(number)
        }

    assert trusted.handshakes == 1
    assert len({request.peer_port for request in trusted.requests}) == 1


def test_concurrent_posts_need_at_most_one_handshake_per_thread(trusted: TrustedServer) -> None:
    def ask(number: int) -> None:
        for turn in range(5):
            form = {"number": str(number), "turn": str(turn)}
            assert post_form(trusted.url, form, None).json() == form

    # More at once than a pool of urllib3 keeps by default
    with ThreadPoolExecutor(40) as pool:
        list(pool.map(ask, range(40)))

    assert len(trusted.requests) == 200
    assert trusted.handshakes <= 40


def test_a_form_has_the_headers_of_the_standard(provider: ScriptedProvider) -> None:
    provider.answer("/token", json_answer({"error": "invalid_grant"}, 400))
    url, basic = f"{provider.issuer}/token", HTTPBasicAuth("client", "secret")

    response = post_form(url, {"a": "b c&d=\u00e9"}, basic, {"X-More": "1"})
    post_form(url, {}, None)

    # Whatever the status of its answer is
    assert response.json() == {"error": "invalid_grant"}

    first, second = provider.requests
    assert (first.method, first.form) == ("POST", {"a": "b c&d=\u00e9"})
    assert first.headers["content-type"] == "application/x-www-form-urlencoded"
    assert first.headers["authorization"] == "Basic Y2xpZW50OnNlY3JldA=="
    assert first.headers["accept"] == "application/json"
    assert first.headers["user-agent"] == "cat-feeder-auth-worker"
    assert first.headers["x-more"] == "1"
    assert second.headers["content-length"] == "0"
    assert "authorization" not in second.headers


def test_a_form_with_a_truncated_answer_is_not_posted_again(provider: ScriptedProvider) -> None:
    provider.answer("/token", broken_off(), json_answer({}))

    with pytest.raises(ProviderUnreachable) as failure:
        post_form(f"{provider.issuer}/token", {}, None)

    assert failure.value.is_outcome_unknown
    assert len(provider.requests) == 1


def test_a_failed_connect_is_known_to_be_unsent(environment: dict[str, str]) -> None:
    environment["OAUTH_ALLOWED_PRIVATE_HOSTS"] = "127.0.0.1:9"
    config.current_settings.cache_clear()

    with pytest.raises(ProviderUnreachable) as failure:
        post_form("http://127.0.0.1:9/token", {}, None)

    assert not failure.value.is_outcome_unknown
