"""HEAD: answered wherever GET is, with the same headers, without content and without effects."""

from __future__ import annotations

import httpx
import pytest

from tests.worker.http.answers import assert_problem


@pytest.mark.parametrize(
    "path", ["/health", "/docs", "/openapi.json", "/v1/connections", "/metrics", "/v1/keys"]
)
def test_head_is_answered_where_get_is(http: httpx.Client, path: str) -> None:
    head, get = http.head(path), http.get(path)

    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["Content-Type"] == get.headers["Content-Type"]


def test_head_is_refused_as_get_is(http: httpx.Client, anonymous: httpx.Client) -> None:
    assert anonymous.head("/v1/connections").status_code == 401
    assert http.head("/v1/nothing").status_code == 404
    refused = http.head("/v1/passwords/hash")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "OPTIONS, POST")
    # And any other method is refused as ever
    assert_problem(http.put("/health"), 405, "method_not_allowed")


@pytest.mark.parametrize("path", ["/v1/oauth/callback", "/v1/oauth/callback/google"])
def test_a_look_at_the_callback_spends_no_code(anonymous: httpx.Client, path: str) -> None:
    looked = anonymous.head(path, params={"code": "c", "state": "s:google"})

    assert (looked.status_code, looked.content) == (200, b"")
    assert looked.headers["Cache-Control"] == "no-store"
