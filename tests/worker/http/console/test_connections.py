"""Connections in the console: found, told, renewed and disconnected."""

from __future__ import annotations

import re
from datetime import timedelta

import httpx
import pytest

from catfeeder.clock import utc_now
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.imports.identities import store_profile
from tests.oidc_provider import OidcProvider
from tests.worker.http.signing_in import HOUSE, sign_in
from tests.worker.http.visits import act

EMAIL = "Ann@example.com"


@pytest.fixture
def connection(http: httpx.Client, house: OidcProvider) -> dict[str, str]:
    """Ann's connection, whose profile has an address."""
    made = sign_in(http, house, "ann", subject="user-1")
    with hold_connection():
        row = TAB_CONNECTIONS.get_by_id(made["id"])
        store_profile(row, {**row.profile, "email": EMAIL})
    return made


def test_a_connection_is_found_by_whatever_is_known_of_it(
    operator: httpx.Client, connection: dict[str, str], http: httpx.Client, house: OidcProvider
) -> None:
    # Given two connections
    other = sign_in(http, house, "bob", subject="user-2")
    mine, theirs = (f"/console/connections/{it['id']}" for it in (connection, other))
    listed = operator.get("/console/connections").text
    assert mine in listed
    assert theirs in listed
    # When it is searched for by its subject, its address in any case, or beside others
    for asked in (
        {"q": "user-1"},
        {"q": EMAIL},
        {"q": EMAIL.upper(), "provider": HOUSE, "status": "active"},
    ):
        found = operator.get("/console/connections", params=asked).text
        # Then it alone is shown
        assert mine in found, asked
        assert theirs not in found, asked
    # And the API finds it by its address, too
    listed_ids = http.get("/v1/connections", params={"email": EMAIL.upper()}).json()["items"]
    assert [it["id"] for it in listed_ids] == [connection["id"]]
    # And an id leads to its page
    page = operator.get("/console/connections", params={"q": connection["id"]})
    assert page.url.path == mine
    # And what matches nothing says what to do
    for asked in ({"q": "nobody"}, {"status": "revoked"}, {"provider": "github"}):
        assert "No connection matches" in operator.get("/console/connections", params=asked).text
    assert operator.get("/console/connections", params={"status": "x"}).status_code == 422


def test_a_page_tells_a_connections_life_and_never_a_token(
    operator: httpx.Client, connection: dict[str, str]
) -> None:
    # Given a connection that a renewal has failed of
    with hold_connection():
        row = TAB_CONNECTIONS.get_by_id(connection["id"])
        TAB_CONNECTIONS.update(
            status="renewal_failing",
            reason="client_misconfigured: 401 invalid_client",
            failures=3,
            grant_expires_at=utc_now() + timedelta(days=30),
        ).where(TAB_CONNECTIONS.id == row.id).execute()
    # When its page is looked at
    page = operator.get(f"/console/connections/{row.id}").text
    # Then it says how it is, why, what to do, when it is renewed and when its grant ends
    for told in (
        *("renewal failing", "401 invalid_client", "correct client_id", "Failed 3 times in a row"),
        *("The grant itself ends at", "user-1", "Scopes granted", "The user signed in"),
    ):
        assert told in page
    # And no token
    tokens = (TAB_CONNECTIONS.access_token.open(row), TAB_CONNECTIONS.refresh_token.open(row))
    assert any(tokens)
    for token in tokens:
        assert token is None or token.reveal() not in page
    assert operator.get(f"/console/connections/{'0' * 36}").status_code == 404


def test_a_connection_is_renewed_refreshed_and_disconnected(
    operator: httpx.Client, connection: dict[str, str], http: httpx.Client
) -> None:
    path = f"/console/connections/{connection['id']}"
    page = operator.get(path)
    # Then each time of a sentence is one that the page shows in the viewer's zone
    assert re.search("The token expires at <time datetime=[^>]+>[^<]+ UTC</time>", page.text)
    # When it is renewed and its profile fetched, then the page says so, and who did it
    page = act(operator, page, f"{path}/renew")
    assert "has renewed the token" in page.text
    assert "by the key admin" in page.text
    page = act(operator, page, f"{path}/user-info")
    assert "what the provider says of the user" in page.text
    asked = http.get("/v1/events", params={"kind": "profile_requested"}).json()["items"]
    assert [(it["connection_id"], it["key_id"]) for it in asked] == [(connection["id"], "admin")]
    # When it is disconnected, then it is gone, and an event says who did it
    page = act(operator, page, f"{path}/disconnect")
    assert page.url.path == "/console/connections"
    assert "is disconnected" in page.text
    assert http.get(f"/v1/connections/{connection['id']}").status_code == 404
    kept = http.get("/v1/events", params={"kind": "revoked"}).json()["items"]
    assert [event["key_id"] for event in kept] == ["admin"]


def test_a_reconnect_link_is_made_for_the_connections_user(
    operator: httpx.Client, connection: dict[str, str], anonymous: httpx.Client, http: httpx.Client
) -> None:
    path = f"/console/connections/{connection['id']}"
    # When a link is asked for
    page = act(operator, operator.get(path), f"{path}/reconnect-link")
    # Then it leads to the page where the user connects, and an event says who made it
    link = re.search('value="[^"]*(/connect[?]link=[^"]+)"', page.text)
    assert link is not None
    assert anonymous.get(link[1]).status_code < 400
    made = http.get("/v1/events", params={"kind": "connect_session_created"}).json()["items"]
    assert [event["key_id"] for event in made] == ["admin"]
