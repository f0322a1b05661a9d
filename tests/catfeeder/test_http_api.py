"""The client's requests over HTTP: what is sent, what comes back, and what can go wrong."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from catfeeder.errors import InvalidApiKey, InvalidApiUrl, RequestRefused, ServiceUnreachable
from catfeeder.http_api import ApiRequest, HttpApi
from catfeeder.results import (
    AccessToken,
    Authorization,
    ConnectLink,
    ConnectSession,
    PolicyVerdict,
    StartedSignIn,
    StoredToken,
)
from catfeeder.verbs.connect_options import ConnectOptions
from catfeeder.verbs.table import Verbs
from tests.provider import answers
from tests.provider.answers import Answer, json_answer
from tests.provider.certificates import self_signed_certificate
from tests.provider.server import Request as Received
from tests.provider.server import running_server

KEY = "cfk_an-api-key"
VERBS = Verbs()
BEGUN = {
    "authorization_url": "https://id.example/authorize?state=x",
    "state": "canary-state:house",
    "expires_at": "2026-01-02T03:04:05.678Z",
    "later": "what a newer service may add",
}
TOKEN = {
    "access_token": "canary-token",
    "token_type": "Bearer",
    "expires_at": None,
    "scope": "openid",
    "renewal_failing": False,
}


class Service:
    """A service that answers as the test wants, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answer = json_answer(TOKEN)
        self.received: list[Received] = []
        self.url = ""

    def respond(self, request: Received) -> Answer:
        """Answer."""
        self.received.append(request)
        return self.answer


@pytest.fixture
def service() -> Iterator[Service]:
    """A service over HTTP."""
    made = Service()
    with running_server(made.respond) as server:
        made.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield made


def fetch(api: HttpApi, request: ApiRequest[Any]) -> Any:
    """Ask in either way; both answer alike."""
    one = outcome(lambda: api.fetch(request))
    other = outcome(lambda: asyncio.run(api.fetch_async(request)))
    if isinstance(one, Exception):
        assert (type(other), str(other)) == (type(one), str(one))
        raise one
    assert one == other
    return one


def token_of(url: str, *, seconds: float = 10) -> AccessToken:
    """Ask a service for the token of a connection."""
    token: AccessToken = fetch(HttpApi(url, KEY), VERBS.access_token("a/../b", timeout=seconds))
    return token


def outcome(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except (RequestRefused, ServiceUnreachable) as error:
        return error


def test_a_sign_in_is_begun(service: Service) -> None:
    # Given a service behind a path
    service.answer = json_answer(BEGUN)
    api = HttpApi(f"{service.url}/auth/", KEY)
    # When a sign-in is begun with some options
    begun: Authorization = fetch(
        api,
        VERBS.authorize(
            "my house",
            subject="user-1",
            return_to="https://app.example/",
            relay=True,
            prompt="none",
            max_age=0,
            resource=("https://a.example/", "https://b.example/"),
            timeout=10,
        ),
    )
    # Then the request is that of docs/http.md
    asked = service.received[0]
    assert (asked.method, asked.path) == ("POST", "/auth/v1/oauth/my%20house/authorize")
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    options = {"subject": "user-1", "return_to": "https://app.example/", "relay": True}
    options |= {"prompt": "none", "max_age": 0}
    options["resource"] = ["https://a.example/", "https://b.example/"]
    assert json.loads(asked.body) == options
    # And the answer has a time that is one
    assert (begun.authorization_url, begun.state) == (BEGUN["authorization_url"], BEGUN["state"])
    assert begun.expires_at == datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
    assert "canary" not in repr(begun)
    # And an option that there is not is no option of Python either
    with pytest.raises(TypeError, match="no option sujbect"):
        VERBS.authorize("my house", sujbect="user-1")  # type: ignore[call-arg]


def test_the_policy_judges_by_what_is_known_of_the_user(service: Service) -> None:
    reason = {"code": "password_too_easy", "detail": "The password is easily guessed."}
    service.answer = json_answer({"acceptable": False, "reasons": [reason]})
    verb = VERBS.check_policy("Tabby2026!", user_inputs=("Tabby",), scheme="argon2id")
    verdict: PolicyVerdict = fetch(HttpApi(service.url, KEY), verb)
    assert (verdict["acceptable"], verdict["reasons"]) == (False, [reason])
    asked = service.received[0]
    assert (asked.method, asked.path) == ("POST", "/v1/passwords/policy")
    body = {"password": "Tabby2026!", "user_inputs": ["Tabby"], "scheme": "argon2id"}
    assert json.loads(asked.body) == body


def test_a_link_to_the_connect_page_is_made(service: Service) -> None:
    made = {"url": "https://auth.example/connect?link=canary", "expires_at": BEGUN["expires_at"]}
    service.answer = json_answer(made)
    options: ConnectOptions = {"providers": ["github"], "return_to": "https://app.example/"}
    link = fetch(HttpApi(service.url, KEY), VERBS.connect_session("user-1", **options))
    asked = service.received[0]
    assert (asked.method, asked.path) == ("POST", "/v1/connect-sessions")
    assert json.loads(asked.body) == {"subject": "user-1", **options}
    assert link.url == made["url"]
    assert "canary" not in repr(link)
    with pytest.raises(TypeError, match="no option provider"):
        VERBS.connect_session("user-1", provider="github")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("shape", "made"),
    [(StartedSignIn, Authorization), (StoredToken, AccessToken), (ConnectSession, ConnectLink)],
)
def test_an_answer_has_the_fields_of_its_shape(shape: type, made: type[Any]) -> None:
    assert [item.name for item in dataclasses.fields(made)] == list(shape.__annotations__)


def test_a_token_is_read(service: Service) -> None:
    token = token_of(service.url)
    asked = service.received[0]
    assert (asked.method, asked.path) == ("GET", "/v1/connections/a%2F..%2Fb/token")
    assert asked.body == b""
    assert (token.access_token, token.expires_at) == ("canary-token", None)
    assert "canary" not in repr(token)
    # And one for a part of what was granted is asked for by its parts
    resources = ["https://a/?b", "https://c/"]
    request = VERBS.access_token("x", scope="a b", resource=resources, audience="d")
    fetch(HttpApi(service.url, KEY), request)
    wanted = "scope=a+b&resource=https%3A%2F%2Fa%2F%3Fb&resource=https%3A%2F%2Fc%2F&audience=d"
    assert request.path == f"/v1/connections/x/token?{wanted}"
    assert service.received[-1].query == {"scope": "a b", "resource": "https://c/", "audience": "d"}


@pytest.mark.parametrize(
    ("status", "headers", "permanent", "retry_after"),
    [
        (404, {}, True, None),
        (409, {}, True, None),
        (429, {"Retry_After": "7"}, False, 7.0),
        (503, {"Retry_After": "soon"}, False, None),
        (502, {}, False, None),
    ],
)
def test_a_refusal_carries_the_answer_of_the_service(
    service: Service,
    status: int,
    headers: dict[str, str],
    permanent: bool,
    retry_after: float | None,
) -> None:
    problem = {"code": "reauthorization_required", "detail": "Sign in again.", "status": status}
    service.answer = json_answer(problem, status, **headers)
    with pytest.raises(RequestRefused, match=r"Sign in again\.") as refused:
        token_of(service.url)
    refusal = refused.value
    assert (refusal.status, refusal.code) == (status, "reauthorization_required")
    assert (refusal.permanent, refusal.retry_after) == (permanent, retry_after)


@pytest.mark.parametrize(
    "answer",
    [
        answers.html_answer(),
        answers.html_answer(502),
        answers.redirect_answer("https://elsewhere.example/"),
        json_answer([]),
        json_answer("text", 503),
        json_answer({"error": "not ours"}, 500),
        json_answer({**TOKEN, "expires_at": "yesterday"}),
        json_answer({"access_token": "alone"}),
        Answer(204),
    ],
)
def test_another_answer_is_not_of_the_service(service: Service, answer: Answer) -> None:
    service.answer = answer
    with pytest.raises(ServiceUnreachable, match="is not the service, or was cut off"):
        token_of(service.url)


@pytest.mark.parametrize("answer", [answers.broken_off, answers.not_http])
def test_an_answer_that_is_cut_off_or_no_http_is_none(answer: Callable[[], Answer]) -> None:
    with running_server(lambda _: answer()) as server, pytest.raises(ServiceUnreachable):
        token_of(f"http://127.0.0.1:{server.server_address[1]}")


@pytest.mark.parametrize("headers_only", [True, False])
def test_an_answer_that_drips_ends_with_the_timeout(headers_only: bool) -> None:
    end = threading.Event()
    with running_server(lambda _: answers.dripping(end, headers_only=headers_only)) as server:
        began = time.monotonic()
        with pytest.raises(ServiceUnreachable):
            token_of(f"http://127.0.0.1:{server.server_address[1]}", seconds=0.2)
        end.set()
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("seconds", [0, -1])
def test_without_time_there_is_no_answer(service: Service, seconds: float) -> None:
    with pytest.raises(ServiceUnreachable):
        token_of(service.url, seconds=seconds)


def test_a_service_that_is_away_is_unreachable() -> None:
    with pytest.raises(ServiceUnreachable, match="check api_url"):
        token_of("http://127.0.0.1:1")


def test_a_certificate_must_be_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = self_signed_certificate(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    with running_server(lambda _: json_answer(TOKEN), tls) as server:
        url = f"https://localhost:{server.server_address[1]}"
        # Given an authority that the machine does not know, then nothing is sent
        with pytest.raises(ServiceUnreachable):
            token_of(url)
        # And given one that it knows, the token comes
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert token_of(url).scope == "openid"


@pytest.mark.parametrize(
    "url",
    [
        *("", "id.example", "ftp://id.example", "http://", "http://me:pw@id.example"),
        *("http://a:b", "http://id.example?x", "http://id.example/a b", "http://x.example\r\nX: y"),
        *("http://:80", "http://id..example", f"http://{'a' * 64}.example", "http://[::1"),
    ],
)
def test_a_bad_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidApiUrl):
        HttpApi(url, KEY)


@pytest.mark.parametrize("key", ["", "a b", "a\r\nX: y", "ключ"])
def test_a_bad_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidApiKey):
        HttpApi("https://id.example", key)
