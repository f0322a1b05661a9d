"""Queries of the routes that answer page by page: each parameter that is wrong is named."""

from __future__ import annotations

from urllib.parse import quote

import httpx
import pytest

from tests.worker.http.answers import assert_problem

_LETTERS = "/v1/queues/oauth/dead-letters"
_PATHS = ("/v1/connections", "/v1/events", "/v1/renewals", _LETTERS)


@pytest.mark.parametrize("path", _PATHS)
def test_what_no_page_can_have_is_refused(http: httpx.Client, path: str) -> None:
    for query, parameter in [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("cursor=" + "a" * 513, "cursor"),
        ("x=1", "x"),
    ]:
        members = assert_problem(http.get(f"{path}?{query}"), 422, "invalid_request")
        assert [fault.get("parameter") for fault in members["errors"]] == [parameter], query
    for cursor in ("made-up", "-1", "1" * 40, "\0"):
        assert_problem(http.get(f"{path}?cursor={quote(cursor)}"), 422, "cursor_invalid")


def test_each_parameter_that_is_wrong_is_named(http: httpx.Client) -> None:
    for query, parameters in [
        ("/v1/connections?status=asleep&limit=x", ["status", "limit"]),
        ("/v1/connections?subject=%00", ["subject"]),
        ("/v1/events?kind=everything", ["kind"]),
        ("/v1/events?since=yesterday", ["since"]),
        ("/v1/events?since=2026-11-23T00:00:00", ["since"]),
        # Which would be seconds since 1970
        ("/v1/events?since=2026", ["since"]),
        ("/v1/events?since=1795437335", ["since"]),
        ("/v1/events?provider=%00", ["provider"]),
        ("/v1/events?key_id=%00", ["key_id"]),
        ("/v1/events?connection_id=", ["connection_id"]),
        ("/v1/renewals?status=asleep&before=tomorrow", ["status", "before"]),
        ("/v1/renewals?before=2026-11-23T12:00:00", ["before"]),
        ("/v1/renewals?before=1795437335", ["before"]),
        ("/v1/renewals?provider=%00", ["provider"]),
    ]:
        members = assert_problem(http.get(query), 422, "invalid_request")
        assert [fault.get("parameter") for fault in members["errors"]] == parameters, query


def test_an_empty_page_is_of_a_provider_that_there_is_or_was(http: httpx.Client) -> None:
    # Given a provider without connections, and one that was erased
    settings = {"preset": "google", "client_id": "a", "client_secret": "b"}
    for name in ("known", "erased"):
        assert http.put(f"/v1/providers/{name}", json=settings).status_code == 201
    assert http.delete("/v1/providers/erased").status_code == 204
    for path in ("/v1/connections", "/v1/events", "/v1/renewals"):
        # Then their pages are answered
        for name in ("known", "erased"):
            assert http.get(path, params={"provider": name}).status_code == 200
        # And a name that was mistyped is no provider without connections
        told = assert_problem(http.get(f"{path}?provider=knwon"), 404, "provider_unknown")
        assert "knwon" in told["detail"]
