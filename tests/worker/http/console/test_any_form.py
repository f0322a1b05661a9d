"""Any form and any query, sent to any page of the console by its operator, breaks none of them."""

from __future__ import annotations

import re

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.http.visits import csrf_token
from worker.http.console.access import LOGOUT_PATH, ConsoleRoute

_TEXTS = st.text(max_size=20) | st.sampled_from(
    [
        "",
        "\0",
        "on",
        "7",
        "-1",
        "9" * 30,
        "{",
        "[]",
        '{"a": "b"}',
        "🐈",
        "a\r\nb",
        "default",
        "house",
    ]
)
_NAMES = st.sampled_from(
    [
        *("id", "name", "app", "days", "requests_per_minute", "scopes.jobs", "scopes.x"),
        *("providers", "providers.is_bound", "return_to_origins", "webhook_url", "allow_login"),
        *("preset", "issuer", "client_id", "client_secret", "client_secret.sealed", "profile"),
        *("scopes", "scopes.is_void", "default_lifetime_seconds", "uses_nonce", "read_at"),
        *("reason", "event_id", "notice", "cursor", "status", "query", "q", "check"),
        *(
            "kind",
            "provider",
            "variables",
            "grant_types.refresh_token",
            "userinfo_endpoint.is_void",
        ),
    ]
)
_FIELDS = st.dictionaries(_NAMES, _TEXTS, max_size=6)


@pytest.fixture
def paths(app: FastAPI) -> list[tuple[str, str]]:
    """Each method and pattern but what would end the session, or never ends."""
    routes = [context.original_route for context in iter_route_contexts(app.routes)]
    found = [route for route in routes if isinstance(route, ConsoleRoute)]
    return sorted(
        (method, route.path)
        for route in found
        for method in route.methods or ()
        if route.path != LOGOUT_PATH and not route.path.endswith("/live")
    )


@settings(max_examples=150)
@given(data=st.data())
def test_no_form_breaks_a_page(
    data: st.DataObject, operator: httpx.Client, paths: list[tuple[str, str]]
) -> None:
    # Given an operator, and any form that is sent to any page
    method, pattern = data.draw(st.sampled_from(paths), "route")
    if "token" not in operator.headers:
        operator.headers["token"] = csrf_token(operator.get("/console"))
    parts = st.sampled_from(["default", "house", "github"]) | _TEXTS
    part = re.sub(r"{\w+}", lambda _: data.draw(parts, "part").replace("/", ""), pattern)
    path = "".join(f"%{byte:02x}" for byte in part.encode(errors="replace")).replace("%2f", "/")
    form = {"csrf_token": operator.headers["token"], **data.draw(_FIELDS, "form")}
    # When it is sent
    answer = operator.request(
        method,
        path,
        params=data.draw(_FIELDS, "query"),
        data=form if method == "POST" else None,
        follow_redirects=False,
    )
    # Then nothing fails in it
    assert answer.status_code < 500, answer.text
