"""The audit trail over HTTP: filtered, page by page, for the operator alone."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from actors.events.audit import record
from actors.events.kinds import EventKind
from catfeeder.clock import utc_now
from models.db.database import hold_connection
from tests.oidc_provider import OidcProvider
from tests.worker.http.signing_in import HOUSE, sign_in

_PATH = "/v1/events"


def _listed(http: httpx.Client, **wanted: Any) -> list[dict[str, Any]]:
    answer = http.get(_PATH, params=wanted)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def _kinds(http: httpx.Client, **wanted: Any) -> list[str]:
    return [event["kind"] for event in _listed(http, **wanted)]


def test_the_trail_holds_a_sign_in_from_beginning_to_end(
    http: httpx.Client, house: OidcProvider
) -> None:
    # Given a user who signs in, and is disconnected with an app's key
    connection = sign_in(http, house, "alice", subject="user-1")
    made = http.post("/v1/keys", json={"name": "shop", "scopes": ["jobs"]}).json()
    headers = {"Authorization": f"Bearer {made['key']}", "Prefer": "wait=20"}
    path = f"/v1/connections/{connection['id']}"
    assert http.delete(path, headers=headers).json()["status"] == "succeeded"
    # When the operator reads the trail
    events = _listed(http)
    # Then it tells all of it, the newest first, and who asked
    assert [(event["kind"], event["key_id"]) for event in events] == [
        ("revoked", made["id"]),
        ("api_key_created", "admin"),
        ("exchanged", None),
        ("authorized", "admin"),
        ("provider_changed", "admin"),
    ]
    assert events[0]["connection_id"] == connection["id"]
    assert {event["subject"] for event in events if event["kind"] == "exchanged"} == {"user-1"}
    assert set(events[0]) == {
        *(
            "id",
            "reference",
            "request_id",
            "app",
            "kind",
            "key_id",
            "provider",
            "connection_id",
            "subject",
            "detail",
            "created_at",
        )
    }
    # And parts of it on request
    assert _kinds(http, kind="exchanged") == ["exchanged"]
    assert _kinds(http, connection_id=connection["id"]) == ["revoked", "exchanged"]
    assert _kinds(http, key_id=made["id"]) == ["revoked"]
    assert _kinds(http, provider=HOUSE, key_id="admin") == ["authorized", "provider_changed"]
    since = events[2]["created_at"]
    assert _listed(http, since=since) == [e for e in events if e["created_at"] >= since]
    # And in none of it is a secret
    told = json.dumps(events)
    assert made["key"].split("_", 2)[2] not in told
    assert "house-secret" not in told


def test_pages_lead_to_the_oldest_event(http: httpx.Client) -> None:
    with hold_connection():
        for number in range(5):
            record(EventKind.RENEWED, now=utc_now(), provider=f"p{number}")
    seen: list[str] = []
    wanted: dict[str, Any] = {"limit": 2}
    while True:
        page = http.get(_PATH, params=wanted).json()
        seen += [event["provider"] for event in page["items"]]
        if page["next_cursor"] is None:
            break
        wanted["cursor"] = page["next_cursor"]
    assert seen == ["p4", "p3", "p2", "p1", "p0"]


@pytest.mark.parametrize(
    ("since", "count"), [("0001-01-01T00:00:00+12:00", 1), ("9999-12-31T23:59:59-12:00", 0)]
)
def test_any_time_may_be_asked_for(http: httpx.Client, since: str, count: int) -> None:
    with hold_connection():
        record(EventKind.RENEWED, now=utc_now())
    assert len(_listed(http, since=since)) == count
