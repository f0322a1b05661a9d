"""Tests of exchanges on connections that are kept alive: any answer is read as http.client does."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from requests.auth import HTTPBasicAuth

import config
from actors.providers.errors import ProviderUnreachable
from actors.providers.http.forms import post_form
from actors.providers.http.transport import shared_adapter

pytestmark = pytest.mark.usefixtures("settings")

_OK = b"HTTP/1.1 200 OK\r\n"
_FIRST = _OK + b"Content-Length: 5\r\n\r\nfirst"
_PACKED = gzip.compress(b"packed")
#: Where an answer comes in two parts.
_PAUSE = b"<pause>"
#: More than one look at the socket brings.
_LONG = b"long " * 20_000


class RawServer:
    """Answers each request with the next of some texts, and keeps what it was asked."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/token"
        self.answers: list[bytes] = []
        self.received: list[bytes] = []
        self.connections = 0

    def serve(self) -> None:
        """Answer until the listener is closed; an empty text hangs up."""
        while self.answers:
            connection, _ = self._listener.accept()
            self.connections += 1
            with connection:
                connection.settimeout(30)
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        while self.answers and (received := connection.recv(65536)):
            self.received.append(received)
            answer = self.answers.pop(0)
            if not answer:
                return
            for part in answer.split(_PAUSE):
                connection.sendall(part)
                threading.Event().wait(0.05 if _PAUSE in answer else 0)


@contextmanager
def raw_server(environment: dict[str, str], *answers: bytes) -> Iterator[RawServer]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = RawServer(listener)
        server.answers = list(answers)
        environment["OAUTH_ALLOWED_PRIVATE_HOSTS"] = server.url.split("/")[2]
        config.current_settings.cache_clear()
        thread = threading.Thread(target=server.serve)
        thread.start()
        yield server
        shared_adapter().close()
        thread.join(30)


@pytest.mark.parametrize(
    ("head_and_body", "body", "is_kept"),
    [
        (b"Content-Length: 4\r\nConnection: Keep-Alive\r\n\r\nbody", b"body", True),
        (b"content-length:4 \r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\nbody", b"body", True),
        (b"Content-Length: 100000\r\n\r\n" + _LONG, _LONG, True),
        (b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", b"body", True),
        (
            b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(_PACKED), _PACKED),
            b"packed",
            True,
        ),
        (b"Content-Length: 4\r\nConnection: close\r\n\r\nbody", b"body", False),
        (b"X-Folded: a\r\n b\r\nContent-Length: 4\r\n\r\nbody", b"body", True),
        (b"Content-Len<pause>gth: 4\r\n\r\nbody", b"body", True),
        (b"Content-Length: 4\r\n\r\nbo<pause>dy", b"body", True),
        (b"Content-Length: 4\r\n\r\nbodyHTTP/1.1 200 OK\r\n\r\n", b"body", False),
        (b"Content-Length: 4\r\n\r\nbodyrubbish", b"body", False),
    ],
    ids=[
        *("ordinary", "spaces", "long", "chunks", "packed", "last", "folded"),
        *("parted head", "parted body", "more behind", "rubbish behind"),
    ],
)
def test_an_answer_of_any_form_is_read_and_its_connection_kept_where_it_may_be(
    head_and_body: bytes, body: bytes, is_kept: bool, environment: dict[str, str]
) -> None:
    # Given a connection that is kept alive
    answers = _FIRST, _OK + head_and_body, _OK + b"Content-Length: 4\r\n\r\nlast"
    with raw_server(environment, *answers) as server:
        basic = HTTPBasicAuth("client", "secret")
        assert post_form(server.url, {"a": "b"}, basic).content == b"first"

        # When the next answer has one form or another
        second = post_form(server.url, {"a": "b"}, basic)

        # Then it is read, and so is the one behind it
        assert second.content == body
        assert post_form(server.url, {"a": "b"}, None).content == b"last"

    # And it is another connection only where this one is at its end
    assert server.connections == (1 if is_kept else 2)
    # And both requests have the same parts
    first, other, _ = (set(text.split(b"\r\n")) for text in server.received)
    assert first == other


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"", "the connection was closed before an answer"),
        (_OK + b"Content-Length: 40\r\n\r\nhalf", "the answer broke off"),
        (b"SSH-2.0-something\r\n\r\n", "what came is not an answer of HTTP"),
    ],
    ids=["none", "half", "none of HTTP"],
)
def test_an_answer_that_breaks_off_may_have_spent_the_token(
    answer: bytes, cause: str, environment: dict[str, str]
) -> None:
    with raw_server(environment, _FIRST, answer, b"") as server:
        post_form(server.url, {}, None)
        server.answers = [answer]

        with pytest.raises(ProviderUnreachable) as caught:
            post_form(server.url, {}, None)

    assert cause in caught.value.detail
    assert caught.value.is_outcome_unknown
    # Nothing was sent again.
    assert len(server.received) == 2


def test_a_connection_that_was_closed_meanwhile_is_not_used(environment: dict[str, str]) -> None:
    answers = _OK + b"Content-Length: 5\r\nConnection: close\r\n\r\nfirst", _FIRST
    with raw_server(environment, *answers) as server:
        for _ in range(2):
            assert post_form(server.url, {}, None).content == b"first"

    assert server.connections == 2
