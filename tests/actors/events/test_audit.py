"""Tests of the audit trail: what happened when and by which key, page by page."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.errors import CursorInvalid
from actors.events.audit import list_events, record
from actors.events.kinds import EventKind
from catfeeder.queue.requester import requester
from models.db.database import hold_connection, transaction
from models.events import TAB_EVENTS
from tests.models.rows import stored_connection
from tests.models.times import MINUTE, NOW, SECOND

pytestmark = pytest.mark.usefixtures("database")


def write(kind: EventKind = EventKind.EXCHANGED, **changes: Any) -> None:
    with hold_connection():
        record(kind, **{"now": NOW, **changes})


def test_an_event_names_its_connection_and_requester(request: pytest.FixtureRequest) -> None:
    # Given a request with a key
    token = requester.set("0123456789ab")
    request.addfinalizer(lambda: requester.reset(token))
    with hold_connection():
        connection = stored_connection(subject="user-1")

    # When something happens to a connection
    write(EventKind.RENEWAL_FAILED, connection=connection, reason="provider_unreachable")

    # Then the event has all that belongs to it
    [event] = list_events()["items"]
    assert event == {
        "id": event["id"],
        "app": "default",
        "kind": "renewal_failed",
        "key_id": "0123456789ab",
        "provider": "google",
        "connection_id": connection.id,
        "subject": "user-1",
        "reference": None,
        "request_id": None,
        "detail": {"reason": "provider_unreachable"},
        "created_at": "2026-11-23T12:00:00.000Z",
    }
    assert json.loads(json.dumps(event)) == event


def test_an_event_may_be_about_no_connection() -> None:
    write(EventKind.AUTHORIZED, provider="github", subject=None)

    [event] = list_events()["items"]
    assert event["provider"] == "github"
    assert (event["connection_id"], event["subject"], event["key_id"]) == (None, None, None)
    assert event["detail"] is None


def test_a_connection_without_a_name_has_no_subject() -> None:
    with hold_connection():
        write(connection=stored_connection(subject=""))

    assert list_events()["items"][0]["subject"] is None


def test_an_event_is_written_with_its_change_or_not_at_all() -> None:
    class Failure(Exception):
        pass

    def change_and_fail() -> None:
        with transaction():
            write()
            raise Failure

    with pytest.raises(Failure):
        change_and_fail()

    assert list_events()["items"] == []


def test_pages_follow_one_another_whatever_happens_meanwhile() -> None:
    # Given five events
    for number in range(5):
        write(provider=f"p{number}")

    # When they are read two by two, while more are written
    seen: list[str | None] = []
    cursor = None
    while True:
        page = list_events(cursor=cursor, limit=2)
        seen += [event["provider"] for event in page["items"]]
        write(provider="later")
        cursor = page["next_cursor"]
        if cursor is None:
            break

    # Then each is there once, the newest first
    assert seen == ["p4", "p3", "p2", "p1", "p0"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"kind": "revoked"}, ["b"]),
        ({"provider": "a"}, ["a"]),
        ({"since": NOW + SECOND}, ["b"]),
        ({"since": NOW + MINUTE}, []),
        ({"key_id": "admin"}, []),
        ({"connection_id": "none"}, []),
    ],
)
def test_events_are_found_by_their_members(wanted: dict[str, Any], found: list[str]) -> None:
    write(provider="a")
    write(EventKind.REVOKED, provider="b", now=NOW + SECOND)

    assert [event["provider"] for event in list_events(**wanted)["items"]] == found


@pytest.mark.parametrize("cursor", ["", "-1", "1.5", " 1", "1\n", "x", "1" * 19, "\0", "٣", "MQ=="])
def test_a_cursor_that_no_page_gave_is_refused(cursor: str) -> None:
    with pytest.raises(CursorInvalid):
        list_events(cursor=cursor)


def undelivered() -> list[str]:
    with hold_connection():
        rows = TAB_EVENTS.select().where(TAB_EVENTS.deliver_at.is_null(False))
        return sorted(row.kind for row in rows)


def test_without_a_webhook_nothing_waits_to_be_delivered() -> None:
    for kind in EventKind:
        write(kind)

    assert undelivered() == []


class TestWithWebhook:
    """A service with a webhook."""

    @pytest.fixture
    def toml_conf(self, toml_conf: dict[str, Any]) -> dict[str, Any]:
        """Somewhere."""
        return {**toml_conf, "OAuth": {"webhook_url": "https://app.example.com/hook"}}

    def test_what_changes_a_connection_is_delivered_and_nothing_else(self) -> None:
        for kind in EventKind:
            write(kind)

        waiting = set(undelivered())
        assert {"exchanged", "renewal_failed", "revoked"} <= waiting
        # Single attempts, and what operators do, are in the trail alone
        assert waiting.isdisjoint({"authorized", "renewed", "renewal_retried", "sign_in_refused"})
        assert waiting.isdisjoint({"api_key_created", "app_changed", "imported", "queue_paused"})
