"""Tests of the audit trail: read in order, and its outbox delivered until somebody confirms."""

from __future__ import annotations

import pytest

from config import Settings
from models.database import connected
from models.events import TAB_EVENTS
from tests.models.races import race_processes
from tests.models.times import MINUTE, NOW, SECOND

pytestmark = pytest.mark.usefixtures("database")


def add(kind: str = "connection.created", **changes: object) -> None:
    values = {
        "key_id": "key-1",
        "provider": "google",
        "connection_id": "connection-1",
        "subject": "user-1",
        "detail": {"scope": "openid"},
        "is_delivered": True,
        "now": NOW,
    }
    with connected():
        TAB_EVENTS.add(kind, **{**values, **changes})  # type: ignore[arg-type]


def page(after: int = 0, limit: int = 100, **wanted: str) -> list[TAB_EVENTS]:
    filters = dict.fromkeys(("kind", "provider", "connection_id", "key_id"))
    with connected():
        return TAB_EVENTS.page(after=after, limit=limit, **{**filters, **wanted})


def claim(now: object = NOW, limit: int = 100) -> list[TAB_EVENTS]:
    with connected():
        return TAB_EVENTS.claim_deliveries(now, NOW + MINUTE, limit)  # type: ignore[arg-type]


def test_events_are_read_oldest_first_page_by_page() -> None:
    for kind in ("a", "b", "c"):
        add(kind)

    first = page(limit=2)

    assert [event.kind for event in first] == ["a", "b"]
    assert [event.kind for event in page(after=first[-1].id)] == ["c"]
    assert first[0].detail == {"scope": "openid"}
    assert first[0].created_at == NOW


def test_events_are_read_by_what_they_tell_of() -> None:
    add("a", provider="google", connection_id="1", key_id="key-1")
    add("b", provider="github", connection_id="2", key_id=None)

    assert [event.kind for event in page(kind="b")] == ["b"]
    assert [event.kind for event in page(provider="google")] == ["a"]
    assert [event.kind for event in page(connection_id="2")] == ["b"]
    assert [event.kind for event in page(key_id="key-1")] == ["a"]
    assert page(kind="a", provider="github") == []


def test_without_a_webhook_nothing_is_to_be_delivered() -> None:
    add(is_delivered=False)

    assert claim() == []
    assert len(page()) == 1


def test_a_delivery_is_taken_once_until_it_is_due_again() -> None:
    add()

    assert len(claim()) == 1
    # What nobody has confirmed in time is taken again
    assert claim(NOW + MINUTE - SECOND) == []
    (event,) = claim(NOW + MINUTE)
    assert event.attempts == 1


def test_a_confirmed_delivery_is_never_taken_again() -> None:
    add()
    (event,) = claim()

    with connected():
        TAB_EVENTS.confirm_delivery(event.id)

    assert claim(NOW + 100 * MINUTE) == []


def test_a_postponed_delivery_is_taken_at_its_time() -> None:
    add()
    (event,) = claim()

    with connected():
        TAB_EVENTS.postpone_delivery(event.id, NOW + 5 * MINUTE)

    assert claim(NOW + 4 * MINUTE) == []
    assert len(claim(NOW + 5 * MINUTE)) == 1


def take_all(count: int) -> list[int]:
    """Take deliveries batch by batch, as one worker of several does."""
    taken: list[int] = []
    for _ in range(count):
        taken += [event.id for event in claim(limit=5)]
    return taken


def test_of_two_workers_one_takes_each_delivery(tables: Settings) -> None:
    for number in range(100):
        add(str(number))

    first, second = race_processes(2, tables, take_all, 40)

    assert sorted(first + second) == [event.id for event in page()]


def test_old_events_are_erased_once_they_are_delivered() -> None:
    add("told")
    add("untold")
    with connected():
        TAB_EVENTS.confirm_delivery(page(kind="told")[0].id)

        assert TAB_EVENTS.erase_before(NOW) == 0
        assert TAB_EVENTS.erase_before(NOW + SECOND) == 1
    assert [event.kind for event in page()] == ["untold"]
