"""Tests of looking ahead: what falls due, in which order, read no further than the page goes."""

from __future__ import annotations

import ast
from datetime import datetime
from typing import Any, Final

import pytest

from config import Settings
from models.db.database import database as the_database
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.renewal.leases import claim
from models.renewal.upcoming import list_upcoming_renewals
from tests.models.rows import grant, stored_connection
from tests.models.times import MINUTE, NOW

_EVERYTHING: Final[dict[str, Any]] = {
    "provider": None,
    "subject": None,
    "status": None,
    "before": None,
    "after": None,
    "limit": 100,
}


def names(**wishes: Any) -> list[str]:
    """Return the accounts that fall due."""
    with hold_connection():
        rows = list_upcoming_renewals(**{**_EVERYTHING, **wishes})
    return [row.provider_subject for row in rows]


def store(name: str, renew_at: datetime | None, **columns: Any) -> TAB_CONNECTIONS:
    with hold_connection():
        return stored_connection(name, grant=grant(renew_at=renew_at), **columns)


@pytest.mark.usefixtures("database")
def test_the_next_comes_first_and_what_is_never_due_not_at_all() -> None:
    store("later", NOW + 5 * MINUTE)
    store("never", None)
    store("overdue", NOW - MINUTE)
    store("now", NOW)

    assert names() == ["overdue", "now", "later"]
    assert names(before=NOW) == ["overdue"]
    assert names(before=NOW + MINUTE) == ["overdue", "now"]
    assert names(limit=2) == ["overdue", "now"]


@pytest.mark.usefixtures("database")
def test_filters_narrow_it_down() -> None:
    store("a", NOW, provider="google", subject="u-1")
    store("b", NOW + MINUTE, provider="github", subject="u-1")
    failing = store("c", NOW + 2 * MINUTE, provider="google")
    with hold_connection():
        TAB_CONNECTIONS.update(status=ConnectionStatus.RENEWAL_FAILING).where(
            TAB_CONNECTIONS.id == failing.id
        ).execute()

    assert names(provider="google") == ["a", "c"]
    assert names(subject="u-1") == ["a", "b"]
    assert names(status="renewal_failing") == ["c"]
    assert names(provider="github", subject="u-1", status="active") == ["b"]
    assert names(provider="nobody") == []


@pytest.mark.usefixtures("database")
def test_pages_leave_nothing_out_and_repeat_nothing() -> None:
    # Given many that fall due at the same moment
    for number in range(9):
        store(f"account-{number}", NOW + (number // 5) * MINUTE)

    # When they are read page by page
    seen: list[TAB_CONNECTIONS] = []
    after = None
    while True:
        with hold_connection():
            page = list_upcoming_renewals(**{**_EVERYTHING, "after": after, "limit": 2})
        if not page:
            break
        seen += page
        after = (page[-1].renew_at, page[-1].id)

    # Then each comes once, and in order
    assert len({row.id for row in seen}) == len(seen) == 9
    assert [row.renew_at for row in seen] == sorted(row.renew_at for row in seen)


@pytest.mark.usefixtures("database")
def test_looking_claims_nothing() -> None:
    row = store("a", NOW - MINUTE)

    names()

    with hold_connection():
        assert TAB_CONNECTIONS.get_by_id(row.id).lease_until is None
        assert claim(row.id, NOW, NOW + MINUTE) is not None


@pytest.mark.parametrize(
    "wishes",
    [
        {},
        {"before": NOW},
        {"after": (NOW, "x")},
        {"provider": "google"},
        {"provider": "google", "before": NOW, "after": (NOW - MINUTE, "x")},
        {"status": "active"},
        {"status": "active", "before": NOW},
    ],
)
def test_it_is_read_in_order_by_an_index(
    tables: Settings,  # noqa: ARG001
    wishes: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given how SQLite was asked, which plans without knowing how many rows there are
    caplog.set_level("DEBUG", "peewee")
    names(**wishes)
    # The pool has a logger of its own
    [*_, asked] = [entry.getMessage() for entry in caplog.records if entry.name == "peewee"]
    [sql, parameters] = ast.literal_eval(asked)

    # When it says how it would find the rows
    with hold_connection():
        plan = the_database.execute_sql(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
    steps = [step[-1] for step in plan]

    # Then it goes along an index in the order of `renew_at`, and sorts but what is due at once
    assert "renew_at (" in steps[0], steps
    assert steps[0].startswith("SEARCH"), steps
    assert "USE TEMP B-TREE FOR ORDER BY" not in steps
