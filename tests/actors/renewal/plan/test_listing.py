"""Tests of the schedule of renewals: it names what the sweep takes, and what would fail."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from actors.errors import CursorInvalid
from actors.providers.config.settings import put_provider
from actors.renewal.plan import listing
from actors.renewal.plan.listing import ScheduledRenewal, list_renewals
from catfeeder.queue.requester import act_for
from config import Settings
from models.db.database import hold_connection
from models.oauth.connections import ConnectionStatus
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION
from models.renewal.leases import claim
from models.renewal.sweeps import claim_due
from tests.actors.renewals import change
from tests.models.rows import grant, rewrite, stored_connection
from tests.models.times import MINUTE, NOW, SECOND

pytestmark = pytest.mark.usefixtures("tables")


@pytest.fixture
def toml_conf() -> dict[str, Any]:
    """The schedule has renewals."""
    return {"Crons": {"renew_oath_tokens": True}}


@pytest.fixture(autouse=True)
def _google(tables: Settings) -> None:  # noqa: ARG001
    put_provider("google", {"preset": "google", "client_id": "a", "client_secret": "b"}, NOW)


def store(name: str, *, provider: str = "google", minutes: float = 0, **changes: Any) -> str:
    """Store a connection that falls due in so many minutes; return its id."""
    due = NOW + minutes * MINUTE
    with hold_connection():
        row = stored_connection(
            name, provider=provider, grant=grant(renew_at=due, expires_at=due + 10 * MINUTE)
        )
    if changes:
        change(row, **changes)
    return row.id


def listed(**wishes: Any) -> list[ScheduledRenewal]:
    return list_renewals(now=NOW, **wishes)["items"]


def test_a_renewal_is_listed_with_its_reason_and_without_a_token() -> None:
    connection_id = store("alice", minutes=5)

    assert listed() == [
        {
            "app": "default",
            "connection_id": connection_id,
            "provider": "google",
            "subject": None,
            "status": "active",
            "renew_at": "2026-11-23T12:05:00.000Z",
            "expires_at": "2026-11-23T12:15:00.000Z",
            "grant_expires_at": None,
            "is_due": False,
            "cause": "expiry",
            "why": "The token expires at 2026-11-23T12:15:00.000Z.",
            "hindrance": None,
        }
    ]


def test_what_is_due_is_what_the_sweep_would_take() -> None:
    # Given connections of which some are due, some are not, and one is in progress
    due = {store("a", minutes=-1), store("b")}
    store("c", minutes=1)
    busy = store("d", minutes=-2)
    with hold_connection():
        claim(busy, NOW, NOW + MINUTE)
    store("e", minutes=-3, renew_at=None)

    # When they are listed, and then the sweep takes what it finds
    due_items = [item for item in listed() if item["is_due"]]
    planned = {item["connection_id"] for item in due_items if item["cause"] != "in_progress"}
    with hold_connection():
        claimed = {lease.connection_id for lease in claim_due("google", NOW, NOW + MINUTE, 10)}

    # Then they are the same
    assert planned == claimed == due


def test_each_cause_is_named() -> None:
    store("1-retry", status=ConnectionStatus.RENEWAL_FAILING, failures=3, reason="It is down.")
    busy = store("2-busy", minutes=1)
    with hold_connection():
        claim(busy, NOW, NOW + MINUTE)

    [retry, in_progress] = listed()
    assert (retry["cause"], retry["why"]) == ("retry", "Failed 3 times in a row: It is down.")
    assert in_progress["cause"] == "in_progress"
    assert in_progress["why"].endswith("until 2026-11-23T12:01:00.000Z at the latest.")
    # And a lease that has run out is none
    later = list_renewals(now=NOW + MINUTE)["items"]
    assert later[1]["cause"] == "expiry"


def test_a_token_without_a_known_end_is_listed_with_the_reason_of_its_schedule() -> None:
    store("1", expires_at=None)
    store("2", minutes=1, refresh_token=None)

    [unknown, ending] = listed()

    assert (unknown["cause"], unknown["expires_at"]) == ("unknown_end", None)
    assert "as if it lived 3600 seconds" in unknown["why"]
    assert unknown["hindrance"] is None
    assert (ending["cause"], ending["status"]) == ("end", "active")


GONE = (
    "No provider named gone is configured: PUT /v1/providers/gone with its issuer or a preset, its "
    "client_id and its client_secret."
)
HALF = (
    "The provider half has no client_id: set HALF_CLIENT_ID and HALF_CLIENT_SECRET and restart, "
    "or PUT /v1/providers/half."
)


def test_a_hindrance_of_a_renewal_is_named() -> None:
    # Given connections of providers that are well, unknown, without credentials, and undiscovered
    put_provider("half", {"preset": "github"}, NOW)
    put_provider("house", {"issuer": "https://id.example.com", "client_id": "a"}, NOW)
    put_provider("facebook", {"preset": "facebook", "client_id": "a", "client_secret": "b"}, NOW)
    store("1", refresh_token=None)
    store("2", provider="gone", minutes=1)
    store("3", provider="half", minutes=2)
    store("4", provider="house", minutes=3)
    store("5", provider="facebook", minutes=4, refresh_token=None)
    store("6", minutes=5)

    # When the plan is read
    hindrances = [item["hindrance"] for item in listed()]

    # Then it says what is wrong, where something is
    assert hindrances == [listing._NO_REFRESH_TOKEN, GONE, HALF, None, None, None]


def test_the_end_of_a_grant_is_a_hindrance() -> None:
    store("1", grant_expires_at=NOW - timedelta(days=8))
    store("2", grant_expires_at=NOW - timedelta(days=6), minutes=1)

    over, alive = listed()
    assert "reached its end" in str(over["hindrance"])
    # The end was counted by a provider's documentation, and may be some days off
    assert alive["hindrance"] is None
    assert alive["grant_expires_at"] == "2026-11-17T12:00:00.000Z"


def test_a_secret_that_does_not_open_is_a_hindrance() -> None:
    store("1")
    with hold_connection():
        rewrite(TAB_USER_OAUTH_CONNECTION, client_secret=b"damaged")

    [item] = listed()

    assert "client_secret of provider google does not open" in str(item["hindrance"])


@pytest.mark.usefixtures("database")
def test_pages_follow_one_another() -> None:
    ids = [store(str(number), minutes=number // 2) for number in range(5)]

    seen, cursor = [], None
    for _ in range(3):
        page = list_renewals(limit=2, cursor=cursor, now=NOW)
        seen += [item["connection_id"] for item in page["items"]]
        cursor = page["next_cursor"]

    assert cursor is None
    assert len(seen) == 5
    assert set(seen[:2]) == set(ids[:2])
    assert set(seen) == set(ids)
    with pytest.raises(CursorInvalid):
        list_renewals(cursor="made-up", now=NOW)


@pytest.mark.usefixtures("database")
def test_filters_hold() -> None:
    first = store("1", minutes=1)
    store("2", provider="gone", minutes=2)
    failing = store("3", minutes=3, status=ConnectionStatus.RENEWAL_FAILING, reason="x")

    def ids(**wishes: Any) -> list[str]:
        return [item["connection_id"] for item in listed(**wishes)]

    assert ids(provider="google") == [first, failing]
    assert ids(status="renewal_failing") == [failing]
    assert ids(before=NOW + MINUTE + SECOND) == [first]
    assert ids(subject="nobody") == []
    # And the name that an app has for its own provider is that of a shared one
    own = store("4", provider="shop/google", minutes=4, app="shop")
    shared = store("5", minutes=5, app="shop")
    store("6", provider="another/google", minutes=6, app="shop")
    with act_for("shop"):
        assert ids(provider="google") == [own, shared]
