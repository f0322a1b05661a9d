"""The console's door: a key opens a session, and nothing else does."""

from __future__ import annotations

import re

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from tests.conftest import ADMIN_API_KEY
from tests.worker.http.visits import act, csrf_token, sign_in
from worker.http.console.access import ConsoleRoute


def test_a_session_lasts_from_the_login_to_the_logout(visitor: httpx.Client) -> None:
    # Given a visitor without a session, whom every page leads to the login
    assert visitor.get("/console").url.path == "/console/login"
    # When the operator's key is entered
    page = sign_in(visitor)
    # Then the overview is shown, and the key stands nowhere
    assert page.url.path == "/console"
    assert "Overview" in page.text
    cookie = page.history[0].headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert ADMIN_API_KEY not in cookie + page.text
    # And a logout ends the session everywhere, for a copy of its cookie too
    copied = dict(visitor.cookies)
    ended = act(visitor, page, "/console/logout")
    assert ended.url.path == "/console/login"
    visitor.cookies.update(copied)
    assert visitor.get("/console").url.path == "/console/login"
    # And a form that was open meanwhile is said to have changed nothing
    late = act(visitor, page, "/console/queues/oauth/pause")
    assert late.url.path == "/console/login"
    assert "what you typed is not kept" in late.text


def test_without_a_session_every_page_leads_to_the_login(
    visitor: httpx.Client, app: FastAPI
) -> None:
    routes = [context.original_route for context in iter_route_contexts(app.routes)]
    guarded = [route for route in routes if isinstance(route, ConsoleRoute)]
    assert len(guarded) > 2
    for route in guarded:
        path = re.sub(r"\{[^}]+\}", "1", route.path)
        for method in route.methods or ():
            assert visitor.request(method, path).url.path == "/console/login", route.path
    # And no other route is below /console, but the login
    others = {route.path for route in routes if isinstance(route, APIRoute)} - {
        route.path for route in guarded
    }
    assert {path for path in others if path.startswith("/console")} == {"/console/login"}


def test_a_key_that_is_not_the_operators_opens_nothing(
    visitor: httpx.Client, http: httpx.Client
) -> None:
    made = http.post("/v1/keys", json={"name": "shop", "scopes": ["jobs", "tokens:read"]}).json()
    for key, status, word in (
        ("", 401, "ADMIN_API_KEY"),
        ("x" * 40, 401, "unknown"),
        (made["key"], 403, "console:read"),
    ):
        page = sign_in(visitor, key)
        assert page.status_code == status
        assert word in page.text
        assert not visitor.cookies
        assert not key or key not in page.text


def test_a_read_only_key_looks_and_changes_nothing(
    visitor: httpx.Client, http: httpx.Client
) -> None:
    # Given a session of a key that may look alone
    made = http.post("/v1/keys", json={"name": "look", "scopes": ["console:read"]}).json()
    page = sign_in(visitor, made["key"])
    assert "to look alone" in page.text
    # Then it can be ended, as any session
    assert act(visitor, page, "/console/logout").url.path == "/console/login"
    # And one that goes on ends with its key
    sign_in(visitor, made["key"])
    http.delete(f"/v1/keys/{made['id']}")
    assert visitor.get("/console").url.path == "/console/login"


@pytest.mark.parametrize(
    ("data", "headers"),
    [
        ({}, {}),
        ({"csrf_token": "guessed"}, {}),
        (None, {"Sec-Fetch-Site": "cross-site"}),
        (None, {"Origin": "https://evil.example"}),
        (None, {"Origin": "null"}),
    ],
    ids=["no-token", "wrong-token", "cross-site", "other-origin", "hidden-origin"],
)
def test_another_sites_form_changes_nothing(
    visitor: httpx.Client, data: dict[str, str] | None, headers: dict[str, str]
) -> None:
    page = sign_in(visitor)
    sent = {"csrf_token": csrf_token(page)} if data is None else data
    refused = visitor.post("/console/logout", data=sent, headers=headers)
    assert refused.status_code == (415 if data == {} else 403)
    assert visitor.get("/console").url.path == "/console"


@pytest.mark.parametrize("cookie", ["", "x", "AAAA" * 40])
def test_a_forged_cookie_is_none(visitor: httpx.Client, cookie: str) -> None:
    visitor.cookies.set("catfeeder-console", cookie)
    assert visitor.get("/console").url.path == "/console/login"


def test_pages_load_nothing_from_elsewhere_and_stand_in_no_frame(visitor: httpx.Client) -> None:
    page = sign_in(visitor)
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-frame-options"] == "DENY"
    for address in re.findall('(?:href|src)="([^"]+)"', page.text):
        assert address.startswith(("/", "#"))
        if address.startswith("/assets/"):
            answer = visitor.get(address)
            assert answer.is_success
            assert "max-age" in answer.headers["cache-control"]
