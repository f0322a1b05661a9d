"""Tests of HTTP to providers: kept alive, guarded, and with an end to everything."""

from __future__ import annotations

import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3.util.connection

import config
from actors.errors import (
    AddressForbidden,
    AuthError,
    ProviderMisbehaved,
    ProviderRefused,
    ProviderUnreachable,
)
from actors.providers.http import pools
from actors.providers.http.availability import retry_after_seconds
from actors.providers.http.forms import post_form
from actors.providers.http.pools import _DeadlineStream
from actors.providers.http.requests import get_json, post_json
from actors.providers.http.transport import guard_session
from tests.provider.answers import (
    Answer,
    broken_gzip,
    broken_off,
    dripping,
    endless_body,
    endless_chunk_length,
    gzip_bomb,
    html_answer,
    json_answer,
    json_text,
    not_http,
    redirect_answer,
)
from tests.provider.certificates import self_signed_certificate
from tests.provider.server import Request, running_server
from tests.scripted_provider import ScriptedProvider, running_scripted_provider

pytestmark = pytest.mark.usefixtures("settings")

MOST_BYTES = 65_536
MOST_SECONDS = 60


@pytest.fixture
def toml_conf() -> dict[str, Any]:
    """Small answers, so that tests of larger ones are quick, and as much time as they want."""
    patience = {"read_timeout_seconds": MOST_SECONDS, "lease_seconds": 300}
    return {"OAuth": {**patience, "maximum_answer_bytes": MOST_BYTES}}


@pytest.fixture
def _hurried(toml_conf: dict[str, Any]) -> None:
    toml_conf["OAuth"]["read_timeout_seconds"] = 1
    load_anew()


@pytest.fixture
def url(provider: ScriptedProvider) -> str:
    """An address of the provider's, where each test says what is answered."""
    return f"{provider.issuer}/somewhere"


def test_json_is_requested_and_parsed(provider: ScriptedProvider, url: str) -> None:
    provider.answer("/somewhere", json_answer({"a": [1, 2.5, "\u00e9", None, True]}))

    assert get_json(url, {"Authorization": "Bearer x"}) == {"a": [1, 2.5, "\u00e9", None, True]}

    (request,) = provider.requests
    assert request.headers["accept"] == "application/json"
    assert request.headers["user-agent"] == "cat-feeder-auth-worker"
    assert request.headers["authorization"] == "Bearer x"


def test_connections_are_kept_alive_across_calls(provider: ScriptedProvider, url: str) -> None:
    provider.answer("/somewhere", json_answer({}))

    for _ in range(3):
        get_json(url)
    post_form(url, {"a": "b"}, None)

    assert len({request.peer_port for request in provider.requests}) == 1


def test_threads_share_connections_but_not_answers(provider: ScriptedProvider, url: str) -> None:
    provider.answer("/somewhere", lambda request: json_answer(request.query))
    mismatches = []

    def ask(number: int) -> None:
        for turn in range(10):
            asked = {"thread": str(number), "turn": str(turn)}
            if get_json(f"{url}?thread={number}&turn={turn}") != asked:
                mismatches.append(asked)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert mismatches == []
    assert len(provider.requests) == 80
    assert len({request.peer_port for request in provider.requests}) <= 8


def test_no_cookie_of_one_call_is_sent_with_the_next(provider: ScriptedProvider, url: str) -> None:
    provider.answer("/somewhere", json_answer({}, Set_Cookie="session=1; Path=/"))

    get_json(url)
    get_json(url)

    assert "cookie" not in provider.requests[1].headers


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
def test_no_proxy_of_the_environment_is_used(
    variable: str, provider: ScriptedProvider, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    provider.answer("/somewhere", json_answer({}))

    assert get_json(url) == {}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int, provider: ScriptedProvider, url: str) -> None:
    with running_scripted_provider() as other:
        provider.answer("/somewhere", redirect_answer(f"{other.issuer}/x", status))

        with pytest.raises(ProviderMisbehaved, match="redirect"):
            get_json(url, {"Authorization": "Bearer secret"})

        assert other.requests == []
        assert len(provider.requests) == 1


# -- Where calls may lead


def test_a_private_host_that_is_not_allowed_is_not_called(url: str) -> None:
    del url
    with running_scripted_provider() as inside:
        for address in (inside.host, f"localhost:{inside.host.partition(':')[2]}"):
            with pytest.raises(AddressForbidden):
                get_json(f"http://{address}/jwks")
            with pytest.raises(AddressForbidden):
                get_json(f"https://{address}/jwks")

        assert inside.requests == []


@pytest.mark.parametrize("url", ["", "none", "https://", "https://*.example.com/", "https://[::1/"])
def test_an_invalid_url_is_refused(url: str) -> None:
    with pytest.raises(AddressForbidden):
        get_json(url)
    with pytest.raises(AddressForbidden):
        post_form(url, {}, None)


def test_credentials_in_a_url_are_refused_even_for_an_allowed_host(
    provider: ScriptedProvider,
) -> None:
    with pytest.raises(AddressForbidden):
        get_json(f"http://user:password@{provider.host}/jwks")

    assert provider.requests == []


def test_plain_http_is_refused_at_connect_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given that a parser of URLs was fooled, and a public address
    called = refused_connections(monkeypatch)
    name_server(monkeypatch, [["1.1.1.1"]])
    monkeypatch.setattr("actors.providers.http.transport.check_url", lambda *_: None)

    with pytest.raises(AddressForbidden):
        get_json("http://public.example/jwks")

    assert called == []


def test_the_checked_address_is_the_one_that_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a name server that tells a public address first, and loopback to whoever asks again
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
        # Given a name with two addresses, at the first of which nobody listens
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
        load_anew()

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
    called = []

    def connect(address: tuple[str, int], *_more: object, **_options: object) -> socket.socket:
        called.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(urllib3.util.connection, "create_connection", connect)
    return called


def load_anew() -> None:
    """Let the settings be read again from an environment that has changed."""
    config.current_settings.cache_clear()


def test_an_untrusted_certificate_is_refused(environment: dict[str, str], tmp_path: Path) -> None:
    received: list[Request] = []
    with tls_server(received, tmp_path) as (port, names):
        environment["OAUTH_ALLOWED_PRIVATE_HOSTS"] = f"localhost:{port}"
        load_anew()

        with pytest.raises(ProviderUnreachable, match="SSLError"):
            get_json(f"https://localhost:{port}/jwks", {"Authorization": "Bearer secret"})

    # The server was told its name, though the call went to an address, and not a word more
    assert names == ["localhost"]
    assert received == []


# -- Answers that are none


@pytest.mark.parametrize("status", [500, 502, 503, 599])
def test_a_server_error_means_unreachable(
    status: int, provider: ScriptedProvider, url: str
) -> None:
    provider.answer("/somewhere", Answer(status))

    with pytest.raises(ProviderUnreachable, match=str(status)) as failure:
        get_json(url)
    assert not failure.value.permanent
    assert failure.value.retry_after_seconds == 0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("-1", 0),
        ("1.5", 0),
        ("soon", 0),
        ("\u00b2", 0),
        ("9" * 5000, 0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 0),
    ],
)
def test_retry_after_may_be_seconds(
    header: str, seconds: int, provider: ScriptedProvider, url: str
) -> None:
    provider.answer("/somewhere", json_answer({}, 429, Retry_After=header))

    with pytest.raises(ProviderUnreachable) as failure:
        get_json(url)
    assert failure.value.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        # By the provider's clock, which may be years away from ours
        ("Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 1999 23:58:00 GMT", 119),
        ("Fri, 31 Dec 1999 23:59:59 GMT", "Sat, 01 Jan 2000 00:00:00 GMT", 0),
        ("Friday, 31-Dec-99 23:59:59 GMT", "Fri, 31 Dec 1999 23:59:00 GMT", 59),
        ("Fri, 31 Dec 1999 23:59:59 -0000", "Fri, 31 Dec 1999 23:59:00 GMT", 59),
        ("Fri, 31 Dec 1999 25:61:61 GMT", "Fri, 31 Dec 1999 23:59:00 GMT", 0),
    ],
)
def test_retry_after_may_be_a_date(header: str, date: str, seconds: int) -> None:
    response = requests.Response()
    response.headers.update({"Retry-After": header, "Date": date})

    assert retry_after_seconds(response) == seconds


def test_a_retry_after_date_is_compared_with_our_clock_without_a_date_header() -> None:
    response = requests.Response()
    response.headers["Retry-After"] = format_datetime(datetime.now(UTC) + timedelta(seconds=90))

    assert 80 <= retry_after_seconds(response) <= 90


@pytest.mark.parametrize("status", [400, 401, 403, 404, 418])
def test_other_4xx_are_refusals(status: int, provider: ScriptedProvider, url: str) -> None:
    provider.answer("/somewhere", json_answer({"error": "x"}, status))

    with pytest.raises(ProviderRefused, match=f"status {status}"):
        get_json(url)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(204),
        Answer(304),
        json_answer({}, 201),
        html_answer(),
        Answer(200, b""),
        Answer(200, b"\xff\xfe{\x00}\x00"),
        Answer(200, b'"caf\xe9"'),
        json_text("{'a': 1}"),
        json_text('{"a": NaN}'),
        json_text('{"a": Infinity}'),
        json_text('{"a": 1e999}'),
        json_text('{"a": ' + "9" * 5000 + "}"),
        json_text("[" * 40 + "]" * 40),
        json_text("[" * 30_000),
        json_text('{"a":' * 10_000),
        broken_gzip(),
    ],
    ids=lambda answer: repr(answer.body[:12]),
)
def test_an_answer_that_is_not_json_is_misbehaviour(
    answer: Answer, provider: ScriptedProvider, url: str
) -> None:
    provider.answer("/somewhere", answer)

    with pytest.raises(ProviderMisbehaved):
        get_json(url)


def test_json_may_have_a_byte_order_mark_and_a_wrong_charset(
    provider: ScriptedProvider, url: str
) -> None:
    headers = {"Content-Type": "text/plain; charset=idna"}
    provider.answer("/somewhere", Answer(200, b'\xef\xbb\xbf{"name": "Zo\xc3\xab"}', headers))

    assert get_json(url) == {"name": "Zo\u00eb"}


def test_text_that_databases_refuse_is_replaced(provider: ScriptedProvider, url: str) -> None:
    text = r'{"na\u0000me": ["a\ud800b", "line\nbreak", "\u001b[2J", "\u009b31m", "\ud83d\ude00"]}'
    provider.answer("/somewhere", json_text(text))

    assert get_json(url) == {
        "na\ufffdme": ["a\ufffdb", "line\nbreak", "\ufffd[2J", "\ufffd31m", "\U0001f600"]
    }


@pytest.mark.parametrize("answer", [broken_off, not_http], ids=lambda made: made.__name__)
def test_a_truncated_answer_is_unreachable(
    answer: Callable[[], Answer], provider: ScriptedProvider, url: str
) -> None:
    provider.answer("/somewhere", answer())

    with pytest.raises(ProviderUnreachable):
        get_json(url)


def test_a_closed_port_is_unreachable(environment: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        environment["OAUTH_ALLOWED_PRIVATE_HOSTS"] = host
        load_anew()

        with pytest.raises(ProviderUnreachable):
            get_json(f"http://{host}/")


# -- Answers without end


@pytest.mark.parametrize("megabytes", [1, 64])
def test_the_size_limit_applies_to_the_unpacked_answer(
    megabytes: int, provider: ScriptedProvider, url: str
) -> None:
    provider.answer("/somewhere", gzip_bomb(megabytes))
    get_json_of_nothing(provider)

    tracemalloc.start()
    try:
        with pytest.raises(ProviderMisbehaved, match=f"larger than {MOST_BYTES} bytes"):
            get_json(url)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # What the provider packed is a part of the peak, as it runs in this process
    assert peak < 4 * 2**20


def get_json_of_nothing(provider: ScriptedProvider) -> None:
    """Make all that is made once, so that it is not measured."""
    provider.answer("/nothing", json_answer({}))
    get_json(f"{provider.issuer}/nothing")


def test_an_answer_may_have_the_maximum_size(provider: ScriptedProvider, url: str) -> None:
    provider.answer("/somewhere", json_text('"' + "x" * (MOST_BYTES - 2) + '"'))
    assert len(get_json(url)) == MOST_BYTES - 2

    provider.answer("/somewhere", json_text('"' + "x" * (MOST_BYTES - 1) + '"'))
    with pytest.raises(ProviderMisbehaved):
        get_json(url)


@pytest.mark.parametrize("answer", [endless_body, endless_chunk_length])
def test_an_endless_answer_ends_at_the_size_limit(
    answer: Callable[[], Answer], provider: ScriptedProvider, url: str
) -> None:
    provider.answer("/somewhere", answer())
    begun = time.monotonic()

    with pytest.raises((ProviderMisbehaved, ProviderUnreachable)):
        get_json(url)

    assert time.monotonic() - begun < MOST_SECONDS, "it was the clock that ended it, not the size"


@pytest.mark.usefixtures("_hurried")
@pytest.mark.parametrize("headers_only", [True, False], ids=["headers", "body"])
def test_a_dripping_answer_ends_at_the_read_timeout(
    headers_only: bool, provider: ScriptedProvider, url: str
) -> None:
    # Each byte comes in time, so that the timeout of a socket alone would never end it
    provider.answer("/somewhere", dripping(provider.ended, headers_only=headers_only))
    begun = time.monotonic()

    with pytest.raises(ProviderUnreachable):
        get_json(url)

    assert time.monotonic() - begun > 0.9


def test_after_the_deadline_arrived_bytes_are_read_without_waiting() -> None:
    # Given an answer that came to a process which was frozen until its time was over
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
    reading.settimeout(MOST_SECONDS)
    begun = time.monotonic()
    with reading, writing, _DeadlineStream(reading, 0.05) as stream, pytest.raises(TimeoutError):
        stream.readinto(bytearray(4))

    assert 0.05 <= time.monotonic() - begun < MOST_SECONDS


@pytest.mark.usefixtures("_hurried")
def test_silence_ends_at_the_read_timeout(provider: ScriptedProvider, url: str) -> None:
    provider.hold("/somewhere")
    begun = time.monotonic()

    with pytest.raises(ProviderUnreachable):
        get_json(url)

    assert time.monotonic() - begun > 0.9


class Clock:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


def test_each_answer_on_a_connection_has_its_own_deadline(
    provider: ScriptedProvider, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a connection on which an answer took most of its time
    clock = Clock()
    monkeypatch.setattr(pools, "time", clock)

    def answer(_request: Request) -> Answer:
        clock.ahead += 0.6 * MOST_SECONDS
        return json_answer({})

    provider.answer("/somewhere", answer)

    # Then the next one has its own
    assert get_json(url) == {}
    assert get_json(url) == {}
    assert len({request.peer_port for request in provider.requests}) == 1


def test_a_broken_connection_is_not_reused(provider: ScriptedProvider, url: str) -> None:
    provider.answer("/somewhere", broken_off(), json_answer({}))

    with pytest.raises(ProviderUnreachable):
        get_json(url)

    assert get_json(url) == {}
    assert len({request.peer_port for request in provider.requests}) == 2


# -- Posting


def test_a_form_post_returns_the_answer_of_any_status(provider: ScriptedProvider, url: str) -> None:
    provider.answer("/somewhere", json_answer({"error": "invalid_grant"}, 400))

    response = post_form(url, {"token": "a b&c=d\u00e9"}, None)

    assert response.json() == {"error": "invalid_grant"}
    assert provider.requests[0].form == {"token": "a b&c=d\u00e9"}


def test_json_is_posted_and_only_success_accepted(provider: ScriptedProvider, url: str) -> None:
    provider.answer("/somewhere", Answer(204))
    post_json(url, b"{}", {"webhook-id": "1"})
    assert provider.requests[0].headers["content-type"] == "application/json"

    for status, error in ((304, ProviderMisbehaved), (404, ProviderMisbehaved)):
        provider.answer("/somewhere", Answer(status))
        with pytest.raises(error):
            post_json(url, b"{}", {})

    provider.answer("/somewhere", Answer(503))
    with pytest.raises(ProviderUnreachable):
        post_json(url, b"{}", {})


def test_an_error_shows_nothing_of_the_request(provider: ScriptedProvider, url: str) -> None:
    provider.answer("/somewhere", not_http())

    with pytest.raises(AuthError) as failure:
        post_form(f"{url}?proof=canary", {"token": "canary"}, None)

    assert "canary" not in str(failure.value)
    # And what is behind it is not shown either
    assert failure.value.__suppress_context__


def test_a_guarded_session_ignores_netrc(
    provider: ScriptedProvider, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    provider.answer("/somewhere", json_answer({}))
    session = requests.Session()
    guard_session(session)

    session.get(url)

    assert "authorization" not in provider.requests[0].headers


@contextmanager
def tls_server(received: list[Request], directory: Path) -> Iterator[tuple[int, list[str]]]:
    """Serve https under a certificate of our own making; tell the port and the names asked for."""
    certificate, key = self_signed_certificate(directory)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    names: list[str] = []
    context.sni_callback = lambda _sock, name, _context: names.append(str(name))

    def answer(request: Request) -> Answer:
        received.append(request)
        return json_answer({})

    with running_server(answer, context) as server:
        yield int(server.server_address[1]), names
