"""Tests that the queries of renewal search an index: rows that are not due cost nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from config import Settings
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.renewal.forecasts import list_due_warnings
from models.renewal.leases import expedite_failing
from models.renewal.sweeps import claim_due, list_due_providers
from models.renewal.upcoming import list_upcoming_renewals
from tests.models.rows import grant, stored_connection
from tests.models.statements import explain
from tests.models.times import MINUTE, NOW


@pytest.fixture(autouse=True)
def _connections(tables: Settings) -> Iterator[None]:  # noqa: ARG001
    """A connection that is due, and one that waits after a failure, in SQLite."""
    with hold_connection():
        stored_connection("a", grant=grant(renew_at=NOW))
        failing = stored_connection("b", grant=grant(renew_at=NOW + MINUTE))
        TAB_CONNECTIONS.update(status=ConnectionStatus.RENEWAL_FAILING).where(
            TAB_CONNECTIONS.id == failing.id
        ).execute()
        yield


def test_a_sweep_goes_from_one_provider_to_the_next() -> None:
    assert_searches(explain(lambda: list_due_providers(NOW)), "(provider>?)", "(provider=?)")


def test_a_claim_reads_a_providers_due_connections_alone() -> None:
    steps = explain(lambda: claim_due("google", NOW, NOW + MINUTE, 5))

    assert_searches(steps, "(provider=? AND renew_at<?)", "(rowid=?)")


def test_failing_connections_which_are_few_are_found_by_their_status() -> None:
    steps = explain(lambda: expedite_failing("google", NOW))

    assert_searches(steps, "(status=? AND renew_at>?)", "(id=?)")


def test_due_warnings_are_searched_and_not_sorted() -> None:
    [step] = explain(lambda: list_due_warnings(NOW, 100))

    assert step.startswith("SEARCH")
    assert "(warn_at" in step


def assert_searches(steps: list[str], *plans: str) -> None:
    """Check that each of these searches is made, and that nothing is scanned or sorted."""
    assert {plan for plan in plans if any(plan in step for step in steps)} == set(plans), steps
    assert not [step for step in steps if step.startswith(("SCAN t1", "SCAN conn", "USE TEMP"))]


@pytest.mark.parametrize(
    "filters",
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
def test_a_page_of_upcoming_renewals_is_read_in_the_order_of_an_index(
    filters: dict[str, Any],
) -> None:
    steps = explain(lambda: list_upcoming_renewals(limit=100, **filters))

    # Only what is due at the same moment is sorted
    assert "renew_at (" in steps[0], steps
    assert steps[0].startswith("SEARCH"), steps
    assert "USE TEMP B-TREE FOR ORDER BY" not in steps
