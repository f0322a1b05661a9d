"""Tests of the transport: kept-alive connections, guarded addresses, bounds on time and size."""

from __future__ import annotations

import ssl
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

import config
from actors.errors import AuthError
from actors.providers.errors import AddressForbidden, ProviderMisbehaved, ProviderUnreachable
from actors.providers.http.forms import post_form
from actors.providers.http.requests import get_json
from actors.providers.http.transport import guard_session
from config import Settings
from tests.provider.answers import (
    Answer,
    broken_off,
    dripping,
    endless_body,
    endless_chunk_length,
    gzip_bomb,
    json_answer,
    json_text,
    not_http,
    redirect_answer,
)
from tests.provider.certificates import self_signed_certificate
from tests.provider.server import Request, running_server
from tests.scripted_provider import ScriptedProvider, running_scripted_provider

pytestmark = pytest.mark.usefixtures("settings")

MAX_BYTES = 65_536
READ_SECONDS = 60


@pytest.fixture
def toml_conf() -> dict[str, Any]:
    """Small answers, so that tests of larger ones are quick, and a long read timeout."""
    timeouts = {"read_timeout_seconds": READ_SECONDS, "lease_seconds": 300}
    return {"OAuth": {**timeouts, "maximum_answer_bytes": MAX_BYTES}}


@pytest.fixture
def short_timeout(settings: Settings) -> float:
    """A read timeout that is too short for config.toml, where it is whole seconds."""
    object.__setattr__(settings.oauth, "read_timeout_seconds", 0.3)
    return 0.3


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


def test_a_private_host_that_is_not_allowed_is_not_called(url: str) -> None:
    del url
    with running_scripted_provider() as inside:
        for address in (inside.host, f"localhost:{inside.host.partition(':')[2]}"):
            with pytest.raises(AddressForbidden):
                get_json(f"http://{address}/jwks")
            with pytest.raises(AddressForbidden):
                get_json(f"https://{address}/jwks")

        assert inside.requests == []


def reload_settings() -> None:
    """Read the settings again from a changed environment."""
    config.current_settings.cache_clear()


def test_an_untrusted_certificate_is_refused(environment: dict[str, str], tmp_path: Path) -> None:
    received: list[Request] = []
    with tls_server(received, tmp_path) as (port, names):
        environment["OAUTH_ALLOWED_PRIVATE_HOSTS"] = f"localhost:{port}"
        reload_settings()

        with pytest.raises(ProviderUnreachable, match="OAUTH_CA_FILE"):
            get_json(f"https://localhost:{port}/jwks", {"Authorization": "Bearer secret"})

    # The server has received its name by SNI, and nothing else
    assert names == ["localhost"]
    assert received == []


@pytest.mark.parametrize("megabytes", [1, 64])
def test_the_size_limit_applies_to_the_unpacked_answer(
    megabytes: int, provider: ScriptedProvider, url: str
) -> None:
    provider.answer("/somewhere", gzip_bomb(megabytes))
    warm_up(provider)

    tracemalloc.start()
    try:
        with pytest.raises(ProviderMisbehaved, match=f"larger than {MAX_BYTES} bytes"):
            get_json(url)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    # The packed answer is part of the peak, as the provider runs in this process
    assert peak < 4 * 2**20


def warm_up(provider: ScriptedProvider) -> None:
    """Make one request, so that no lazy set-up is measured."""
    provider.answer("/nothing", json_answer({}))
    get_json(f"{provider.issuer}/nothing")


def test_an_answer_may_have_the_maximum_size(provider: ScriptedProvider, url: str) -> None:
    provider.answer("/somewhere", json_text('"' + "x" * (MAX_BYTES - 2) + '"'))
    assert len(get_json(url)) == MAX_BYTES - 2

    provider.answer("/somewhere", json_text('"' + "x" * (MAX_BYTES - 1) + '"'))
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

    assert time.monotonic() - begun < READ_SECONDS, "the deadline ended it, not the size limit"


@pytest.mark.parametrize("part", ["headers", "body", "nothing"])
def test_an_unfinished_answer_ends_at_the_read_timeout(
    part: str, provider: ScriptedProvider, url: str, short_timeout: float
) -> None:
    # A drip comes every 50 ms, so that the timeout of a socket alone would never end it
    if part == "nothing":
        provider.hold("/somewhere")
    else:
        provider.answer("/somewhere", dripping(provider.ended, headers_only=part == "headers"))
    begun = time.monotonic()

    with pytest.raises(ProviderUnreachable):
        get_json(url)

    assert time.monotonic() - begun > 0.9 * short_timeout


def test_a_broken_connection_is_not_reused(provider: ScriptedProvider, url: str) -> None:
    provider.answer("/somewhere", broken_off(), json_answer({}))

    with pytest.raises(ProviderUnreachable):
        get_json(url)

    assert get_json(url) == {}
    assert len({request.peer_port for request in provider.requests}) == 2


def test_an_error_shows_nothing_of_the_request(provider: ScriptedProvider, url: str) -> None:
    provider.answer("/somewhere", not_http())

    with pytest.raises(AuthError) as failure:
        post_form(f"{url}?proof=canary", {"token": "canary"}, None)

    assert "canary" not in str(failure.value)
    # And its cause is not shown either
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
    """Serve https under a self-signed certificate; yield the port and the names received by SNI."""
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
