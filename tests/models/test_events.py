"""Tests of the audit trail: read page by page, and its outbox delivered until confirmed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from config import Settings
from models.db.database import hold_connection
from models.event_retention import erase_events
from models.events import TAB_EVENTS
from tests.models.races import race_processes
from tests.models.statements import record_statements
from tests.models.times import MINUTE, NOW, SECOND

pytestmark = pytest.mark.usefixtures("held")


def add(kind: str = "exchanged", **changes: object) -> None:
    values = {
        "app": "default",
        "key_id": "key-1",
        "provider": "google",
        "connection_id": "connection-1",
        "subject": "user-1",
        "detail": {"scope": "openid"},
        "is_delivered": True,
        "now": NOW,
    }
    TAB_EVENTS.insert_rows([TAB_EVENTS.build_row(kind, **{**values, **changes})])  # type: ignore[arg-type]


def page(limit: int = 100, **wanted: Any) -> list[TAB_EVENTS]:
    return TAB_EVENTS.list_page(limit=limit, **wanted)


def kinds(**wanted: Any) -> list[str]:
    return [event.kind for event in page(**wanted)]


def claim(now: datetime = NOW, again_at: datetime = NOW + MINUTE) -> TAB_EVENTS | None:
    with hold_connection():
        return TAB_EVENTS.claim_delivery("default", now, again_at)


def claimed(now: datetime = NOW, again_at: datetime = NOW + MINUTE) -> TAB_EVENTS:
    event = claim(now, again_at)
    assert event is not None
    return event


def test_the_longest_due_delivery_is_claimed_first() -> None:
    # Given an old event whose delivery was put off, and two of later
    add("old")
    claimed().postpone_delivery(NOW + MINUTE)
    add("first", now=NOW + SECOND)
    add("second", now=NOW + 2 * SECOND)

    # Then what was put off does not keep the others waiting
    later = [claimed(NOW + MINUTE, NOW + 2 * MINUTE).kind for _ in range(3)]
    assert later == ["first", "second", "old"]


def test_a_delivery_that_another_process_has_claimed_is_not_postponed() -> None:
    # Given a delivery that took so long that another has taken it up and made it
    add()
    slow = claimed()
    quick = claimed(NOW + MINUTE, NOW + 2 * MINUTE)
    quick.confirm_delivery()

    # When the first fails after all
    slow.postpone_delivery(NOW + 2 * MINUTE)

    # Then it is not delivered once more
    assert claim(NOW + 5 * MINUTE) is None


def claim_all(count: int) -> list[int]:
    """Claim deliveries one by one, as one worker of several does."""
    events = [claim() for _ in range(count)]
    return [event.id for event in events if event is not None]


def test_of_two_workers_one_claims_each_delivery(tables: Settings) -> None:
    for number in range(100):
        add(str(number))

    first, second = race_processes(2, tables, claim_all, 100)

    assert sorted(first + second) == sorted(event.id for event in page())


def test_many_events_are_erased_in_batches() -> None:
    # Given more old events than are erased at once, with others between them
    for number in range(5):
        add("old", now=NOW + number * SECOND)
        add("kept", now=NOW + number * SECOND)

    # When those of one kind are erased
    with record_statements() as executed:
        erased = erase_events(NOW + 9 * SECOND, undelivered=True, kind="old", batch=2)

    # Then all of them are, by statements that look at so many each, and no others
    assert erased == 5
    assert sum(text.startswith("DELETE") for text in executed) == 5
    assert kinds() == ["kept"] * 5
