"""Whatever is sent to whichever route: never a 500, and never the caller's secret sent back."""

from __future__ import annotations

import json
import re

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from hypothesis import given, settings
from hypothesis import strategies as st

from config import Settings
from tests.conftest import ADMIN_API_KEY

#: Stands within whatever the caller sends as a value.
_SECRET = "s3cr3t-of-the-caller"

_ANYTHING = st.text(max_size=20) | st.sampled_from(["\0", "\ud800", "é", "", "🐈", "a" * 300])
_MARKED = _ANYTHING.map(lambda text: text + _SECRET)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _MARKED,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_ANYTHING, inner, max_size=3),
    max_leaves=6,
)
_FIELDS = st.sampled_from(
    [
        *("password", "rounds", "password_hash"),
        *("name", "lifetime", "expires_at", "requests_per_minute", "relay"),
        *("subject", "scope", "return_to", "code", "state", "iss", "user"),
        *("prompt", "login_hint", "max_age", "acr_values", "ui_locales", "target_link_uri"),
        *("acr_essential", "resource", "variables"),
        *("connection_id", "access_token", "refresh_token"),
        *("issuer", "preset", "client_id", "client_secret", "scopes", "token_endpoint"),
        *("authorization_endpoint", "authorization_parameters", "profile", "unknown"),
    ]
)
_HASH = "$2b$04$0ObZKQLBTEoWZ4yY7LZcGOlaxq/xs1H0UDLCVqQ.PQwG2KQ4/9Jo6"
_USUAL = st.sampled_from([_SECRET, f"{_SECRET}:google", _HASH, 10, 17, "google", "openid", None])
_BODIES = st.dictionaries(_FIELDS, _USUAL | _VALUES, max_size=5) | _VALUES
_PATHS = st.sampled_from(["google", "00000000-0000-4000-8000-000000000000", "\0"]) | _ANYTHING
#: What HTTP allows in a header; the server refuses the rest before the application sees it.
_HEADER = st.text(
    st.characters(min_codepoint=33, max_codepoint=255, exclude_categories=["Cc"]), max_size=20
).map(lambda text: text.encode("latin-1"))
_HEADERS = st.fixed_dictionaries(
    {},
    optional={
        b"prefer": st.sampled_from([b"wait=0", b"wait=-1", b'wait="0"', b"=;,wait"]) | _HEADER,
        b"idempotency-key": _HEADER,
        b"accept-encoding": _HEADER,
        b"origin": _HEADER,
        b"content-type": st.sampled_from(
            [b"application/json", b"application/x-www-form-urlencoded", b"text/plain"]
        )
        | _HEADER,
    },
)
_PAGE = ("text/html; charset=utf-8",)
_METHODS = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "BREW"])


@pytest.fixture
def paths(app: FastAPI) -> list[str]:
    """The patterns of all routes but the one that would end the test."""
    routes = [context.original_route for context in iter_route_contexts(app.routes)]
    found = {route.path for route in routes if isinstance(route, APIRoute)}
    return sorted(found - {"/v1/server/shutdown"})


def _waits_little(headers: dict[bytes, bytes]) -> bool:
    return not re.search(rb"wait\s*=\s*\"?[1-9]", headers.get(b"prefer", b""), re.IGNORECASE)


@settings(max_examples=250)
@given(data=st.data())
def test_nothing_that_is_sent_breaks_a_route_or_comes_back(
    data: st.DataObject, anonymous: httpx.Client, paths: list[str], database: Settings
) -> None:
    assert database.admin_api_key == ADMIN_API_KEY
    # Given any request to any route
    pattern = data.draw(st.sampled_from(paths), "pattern")
    path = re.sub(r"{\w+}", lambda _: data.draw(_PATHS, "part"), pattern)
    headers = data.draw(_HEADERS.filter(_waits_little), "headers")
    if data.draw(st.integers(0, 9), "key"):
        headers[b"authorization"] = f"Bearer {ADMIN_API_KEY}".encode()
    # When it is sent
    request = _request(
        str(anonymous.base_url).rstrip("/"),
        data.draw(_METHODS, "method"),
        path,
        headers,
        query=data.draw(st.lists(st.tuples(_ANYTHING, _MARKED), max_size=3), "query"),
        content=data.draw(st.binary(max_size=50) | _BODIES.map(_json), "content"),
    )
    answer = anonymous.send(request)
    # Then it is answered in kind, and what was sent is not in the answer
    assert answer.status_code != 500, answer.text
    assert _SECRET not in _told(answer)
    if answer.status_code >= 400 and answer.request.method != "HEAD":
        # A route that only browsers come to answers with a page.
        kinds = {"application/problem+json", *(_PAGE if pattern.startswith("/connect") else ())}
        assert answer.headers["Content-Type"] in kinds


def _request(
    url: str,
    method: str,
    path: str,
    headers: dict[bytes, bytes],
    *,
    query: list[tuple[str, str]],
    content: bytes,
) -> httpx.Request:
    quoted = "".join(f"%{byte:02x}" for byte in path.encode(errors="surrogatepass"))
    return httpx.Request(
        method,
        f"{url}/{quoted[3:]}",
        params=[(_whole(name), _whole(value)) for name, value in query],
        headers={b"content-type": b"application/json", **headers},
        content=content,
    )


def _whole(text: str) -> str:
    return text.encode(errors="replace").decode()


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _told(answer: httpx.Response) -> str:
    """Return the answer without what is not secret: a provider's settings, and a key's name."""
    path = answer.request.url.path
    shown = answer.status_code in (200, 201) and path.startswith(("/v1/providers", "/v1/keys"))
    return "" if shown else f"{answer.headers}{answer.text}"
