"""Connections over HTTP: listed, read, used, renewed and ended."""

from __future__ import annotations

import httpx
import pytest

from tests.oidc_provider import OidcProvider
from tests.worker.http.answers import assert_problem
from tests.worker.http.signing_in import sign_in

_WAIT = {"Prefer": "wait=20"}
_UNKNOWN = "/v1/connections/00000000-0000-4000-8000-000000000000"


def test_connections_are_listed_page_by_page(http: httpx.Client, house: OidcProvider) -> None:
    # Given three connections of two subjects
    first = sign_in(http, house, "alice", subject="u-1")
    second = sign_in(http, house, "alice-at-work", subject="u-1")
    sign_in(http, house, "bob", subject="u-2")
    # When one subject's are listed, one a page
    page = http.get("/v1/connections", params={"subject": "u-1", "limit": 1}).json()
    cursor = page["next_cursor"]
    rest = http.get("/v1/connections", params={"subject": "u-1", "limit": 1, "cursor": cursor})
    # Then both are there, in order, as they are alone
    assert [page["items"], rest.json()["items"]] == [[first], [second]]
    assert rest.json()["next_cursor"] is None
    assert http.get(f"/v1/connections/{first['id']}").json() == first
    # And other filters hold as well
    assert len(http.get("/v1/connections?provider=house&status=active").json()["items"]) == 3
    assert http.get("/v1/connections?status=revoked").json()["items"] == []


def test_renew_connection(http: httpx.Client, house: OidcProvider) -> None:
    # Given a connection and its token
    connection = sign_in(http, house, "alice")
    path = f"/v1/connections/{connection['id']}"
    before = http.get(f"{path}/token").json()["access_token"]
    # When it is renewed
    job = http.post(f"{path}/renew", headers=_WAIT).json()
    # Then there is another token
    assert job["status"] == "succeeded", job
    assert job["result"]["id"] == connection["id"]
    assert http.get(f"{path}/token").json()["access_token"] != before


def test_revoke_connection(http: httpx.Client, house: OidcProvider) -> None:
    connection = sign_in(http, house, "alice")
    path = f"/v1/connections/{connection['id']}"
    job = http.delete(path, headers=_WAIT).json()
    assert job["status"] == "succeeded", job
    assert_problem(http.get(path), 404, "connection_unknown")
    assert http.get("/v1/connections").json()["items"] == []


def test_a_repeat_gets_the_first_job_also_once_the_connection_is_gone(
    http: httpx.Client, house: OidcProvider
) -> None:
    # Given a connection that was renewed and erased, each with an Idempotency-Key
    connection = sign_in(http, house, "alice")
    path = f"/v1/connections/{connection['id']}"
    requests = [("POST", f"{path}/renew", "one"), ("DELETE", path, "two")]
    first = [
        http.request(method, url, headers={**_WAIT, "Idempotency-Key": key}).json()
        for method, url, key in requests
    ]
    # When an app whose answers were lost repeats the requests
    repeats = [
        http.request(method, url, headers={**_WAIT, "Idempotency-Key": key}).json()
        for method, url, key in requests
    ]
    # Then it learns what came of them
    assert repeats == first
    assert [job["status"] for job in first] == ["succeeded"] * 2
    # And another request with the key is refused, as one without it is
    key = {"Idempotency-Key": "two"}
    assert_problem(http.delete(_UNKNOWN, headers=key), 422, "idempotency_key_reused")
    assert_problem(http.delete(path), 404, "connection_unknown")


@pytest.mark.parametrize("path", [_UNKNOWN, "/v1/connections/not-an-id", "/v1/connections/%00"])
@pytest.mark.usefixtures("database")  # Each kind takes another view of what a text may hold.
def test_a_connection_that_is_not_there_is_not_found(http: httpx.Client, path: str) -> None:
    for method, action in (("GET", ""), ("DELETE", ""), ("GET", "/token"), ("POST", "/renew")):
        assert_problem(http.request(method, path + action), 404, "connection_unknown")
