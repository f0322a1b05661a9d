"""The console's page of webhooks, and its routes: deliveries with their answers, sent anew."""

from __future__ import annotations

import httpx
import pytest

from actors.events.audit import record
from actors.events.kinds import EventKind
from actors.events.webhooks import deliver_events
from catfeeder.clock import utc_now
from models.db.database import hold_connection
from tests.oidc_provider import OidcProvider
from tests.worker.http.answers import assert_problem
from tests.worker.http.visits import act

_PATH = "/v1/webhook-deliveries"


@pytest.fixture
def refused(http: httpx.Client, oidc_provider: OidcProvider) -> int:
    """An event that a receiver does not take: a provider, which knows no such path."""
    url = f"{oidc_provider.issuer}/hooks"
    assert http.patch("/v1/apps/default", json={"webhook_url": url}).is_success
    with hold_connection():
        record(EventKind.RECOVERED, now=utc_now(), provider="house")
    deliver_events()
    [delivery] = http.get(_PATH).json()["items"]
    event_id: int = delivery["event_id"]
    return event_id


def test_a_delivery_is_shown_with_its_answer_and_sent_anew(
    operator: httpx.Client, http: httpx.Client, refused: int
) -> None:
    # Given a delivery that has failed
    page = operator.get("/console/webhooks")
    for text in ("recovered", "waiting", "404", "The receiver answered with status 404."):
        assert text in page.text
    assert "whsec" not in page.text
    assert "No delivery is delivered" in operator.get("/console/webhooks?status=delivered").text
    before = http.get(_PATH, params={"status": "waiting"}).json()["items"][0]
    # When it is sent anew
    sent = act(operator, page, "/console/webhooks/resend", event_id=str(refused))
    # Then it is due at once, and on record
    assert "is on its way;" in sent.text
    after = http.get(_PATH).json()["items"][0]
    assert after["next_attempt_at"] < before["next_attempt_at"]
    [event] = http.get("/v1/events", params={"kind": "webhook_resent"}).json()["items"]
    assert (event["key_id"], event["detail"]) == ("admin", {"events": [refused]})
    # And of those that were given up there is none to be sent
    act(operator, page, "/console/webhooks/resend")
    assert http.post(f"{_PATH}/resend", json={}).json() == {"resent": [], "left": []}


def test_another_apps_deliveries_are_neither_seen_nor_sent(
    http: httpx.Client, anonymous: httpx.Client, refused: int
) -> None:
    http.post("/v1/apps", json={"id": "bots"})
    body = {"app": "bots", "name": "bot", "scopes": ["connections:read"]}
    key = http.post("/v1/keys", json=body).json()["key"]
    seen = anonymous.get(_PATH, headers={"Authorization": f"Bearer {key}"})
    assert seen.json() == {"items": [], "next_cursor": None}
    acting = {"Catfeeder-App": "bots"}
    wanted = {"event_ids": [refused, 0, 2**70]}
    assert http.post(f"{_PATH}/resend", json=wanted, headers=acting).json() == {
        "resent": [],
        "left": [refused],
    }
    assert_problem(http.get(_PATH, params={"cursor": "x"}), 422, "cursor_invalid")
