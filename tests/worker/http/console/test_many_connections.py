"""Changes to all connections that match: counted, confirmed, and done slice by slice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import httpx
import pytest

from catfeeder.clock import utc_now
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from tests.oidc_provider import OidcProvider
from tests.worker.http.signing_in import sign_in
from tests.worker.http.visits import act
from worker.http.console.connections import slices
from worker.http.errors.refusals import QueueOverloaded

ALL = "/console/connections/all"


@pytest.fixture
def connections(http: httpx.Client, house: OidcProvider) -> list[dict[str, Any]]:
    """Three users' connections, the last of which needs its user."""
    made = [sign_in(http, house, user, subject=user) for user in ("ann", "bob", "cleo")]
    with hold_connection():
        is_last = TAB_CONNECTIONS.id == made[-1]["id"]
        changes = {"status": "reauthorization_required", "renew_at": None}
        TAB_CONNECTIONS.update(changes).where(is_last).execute()
    return made


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two connections a request."""
    monkeypatch.setattr(slices, "_SLICE", 2)


def go_on(operator: httpx.Client, page: httpx.Response, **fields: str) -> Iterator[httpx.Response]:
    """Send the form of a page, and those of the pages that follow."""
    while f'action="{ALL}"' in page.text:
        form = page.text[page.text.index(f'action="{ALL}"') :]
        found = re.findall('type="hidden" name="([^"]+)" value="([^"]*)"', form)
        hidden = {name: unescape(value) for name, value in found if name != "csrf_token"}
        page = act(operator, page, ALL, **{**hidden, **fields})
        fields = {}
        yield page


def test_nothing_is_changed_before_the_count_is_confirmed(
    operator: httpx.Client, connections: list[dict[str, Any]], http: httpx.Client
) -> None:
    # Given the question that shows how many match
    page = operator.get(ALL, params={"action": "disconnect", "status": "active"})
    assert "<strong>2</strong>" in page.text
    # When another number is typed
    refused = next(go_on(operator, page, confirmed="3"))
    # Then nothing is changed
    assert refused.status_code == 422
    assert "Type the number that is shown" in refused.text
    assert len(http.get("/v1/connections").json()["items"]) == len(connections)


def test_all_that_match_are_disconnected(
    operator: httpx.Client, connections: list[dict[str, Any]], http: httpx.Client
) -> None:
    # When all of a provider are disconnected, two a request
    page = operator.get(ALL, params={"action": "disconnect", "provider": "house"})
    *_, last = pages = list(go_on(operator, page, confirmed=str(len(connections))))
    # Then they are gone, and the events say who has done it
    assert len(pages) == 2
    assert "3 done" in last.text
    assert http.get("/v1/connections").json()["items"] == []
    events = http.get("/v1/events", params={"kind": "revoked"}).json()["items"]
    assert [event["key_id"] for event in events] == ["admin"] * len(connections)


def test_all_that_match_are_renewed(
    operator: httpx.Client, connections: list[dict[str, Any]], http: httpx.Client
) -> None:
    # When all are renewed
    page = operator.get(ALL, params={"action": "renew"})
    *_, last = go_on(operator, page, confirmed=str(len(connections)))
    assert "3 made due or renewed" in last.text
    # Then those of the plan are due now, and the last one, which no sweep would try, is active
    with hold_connection():
        rows = {row.id: row for row in TAB_CONNECTIONS.select()}
    planned, tried = connections[:2], connections[2]
    assert all(rows[it["id"]].renew_at <= utc_now() for it in planned)
    assert rows[tried["id"]].status == "active"
    events = http.get("/v1/events", params={"kind": "renewal_requested"}).json()["items"]
    assert {(event["connection_id"], event["key_id"]) for event in events} == {
        (it["id"], "admin") for it in planned
    }


def test_links_are_made_for_all_that_match(
    operator: httpx.Client, connections: list[dict[str, Any]]
) -> None:
    page = operator.get(ALL, params={"action": "reconnect-link"})
    pages = list(go_on(operator, page, confirmed=str(len(connections))))
    links = [link for page in pages for link in re.findall("[?]link=[^\\s<]+", page.text)]
    assert len(set(links)) == len(connections)


def test_what_was_halted_is_asked_for_again_and_counted_once(
    operator: httpx.Client,
    connections: list[dict[str, Any]],
    http: httpx.Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a queue that takes nothing for a moment
    async def refuse(*_: Any) -> str:
        raise QueueOverloaded

    page = operator.get(ALL, params={"action": "renew"})
    # When all are renewed, two by the plan and one by a job
    with monkeypatch.context() as overloaded:
        overloaded.setattr(slices, "perform_for", refuse)
        overloaded.setattr(slices, "_SLICE", 3)
        page = next(go_on(operator, page, confirmed=str(len(connections))))
    assert "2 made due or renewed" in page.text
    assert "It goes on by itself" in page.text
    # Then the page goes on with that one alone
    [last] = go_on(operator, page)
    assert "3 made due or renewed" in last.text
    events = http.get("/v1/events", params={"kind": "renewal_requested"}).json()["items"]
    assert len(events) == len(connections) - 1
