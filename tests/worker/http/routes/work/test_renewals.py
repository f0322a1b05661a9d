"""The plan of renewals over HTTP: filtered, page by page, for the operator alone."""

from __future__ import annotations

from datetime import timedelta

import httpx

from catfeeder.clock import utc_now
from tests.oidc_provider import OidcProvider
from tests.worker.http.signing_in import HOUSE, sign_in

_PATH = "/v1/renewals"


def test_the_plan_lists_renewals_and_shows_no_token(
    http: httpx.Client, house: OidcProvider
) -> None:
    # Given two users who are signed in
    first = sign_in(http, house, "alice", subject="u-1")
    second = sign_in(http, house, "bob", subject="u-2")
    token = http.get(f"/v1/connections/{first['id']}/token").json()["access_token"]
    # When the plan is read
    answer = http.get(_PATH)
    # Then both are in it, in the order in which they fall due, and no token is
    items = answer.json()["items"]
    assert {item["connection_id"] for item in items} == {first["id"], second["id"]}
    assert [item["renew_at"] for item in items] == sorted(item["renew_at"] for item in items)
    assert {(item["cause"], item["is_due"], item["hindrance"]) for item in items} == {
        ("expiry", False, None)
    }
    assert all(item["renew_at"] < item["expires_at"] for item in items)
    assert token not in answer.text
    assert answer.json()["is_scheduled"] is True
    # And parts of it on request
    [only] = http.get(_PATH, params={"subject": "u-2", "provider": HOUSE}).json()["items"]
    assert only["connection_id"] == second["id"]
    assert http.get(_PATH, params={"before": utc_now().isoformat()}).json()["items"] == []
    later = (utc_now() + timedelta(days=1)).isoformat()
    assert len(http.get(_PATH, params={"before": later}).json()["items"]) == 2
    assert http.get(f"{_PATH}?status=renewal_failing").json()["items"] == []
    # And page by page
    page = http.get(_PATH, params={"limit": 1}).json()
    rest = http.get(_PATH, params={"limit": 1, "cursor": page["next_cursor"]}).json()
    assert page["items"] + rest["items"] == items
    assert rest["next_cursor"] is None
