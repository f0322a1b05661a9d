"""Tests of the counts of what falls due: exact while it is little, and bounded."""

from __future__ import annotations

import pytest

from models.db.database import database
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.email_lookup import name_dialect
from models.renewal import due_counts
from models.renewal.due_counts import DueCount, DueFilters, count_due, list_failing_times
from tests.models.rows import grant, stored_connection
from tests.models.times import MINUTE, NOW

pytestmark = pytest.mark.usefixtures("held", "database")


def test_what_falls_due_is_counted_for_an_app_and_a_provider() -> None:
    # Given connections that fall due one a minute, the last of another app, and one that fails
    for number in range(4):
        stored_connection(
            f"account-{number}",
            app="web-shop" if number == 3 else "default",
            provider="github" if number == 0 else "google",
            grant=grant(renew_at=NOW + number * MINUTE),
        )
    is_third = TAB_CONNECTIONS.renew_at == NOW + 2 * MINUTE
    TAB_CONNECTIONS.update(status=ConnectionStatus.RENEWAL_FAILING).where(is_third).execute()
    end = NOW + 9 * MINUTE
    # When they are counted, then each filter counts
    for filters, number, failing in (
        (DueFilters(), 4, 1),
        (DueFilters(app="web-shop"), 1, 0),
        (DueFilters(providers=["google", "x/google"]), 3, 1),
        (DueFilters(app="default", providers=["github"]), 1, 0),
    ):
        assert count_due(filters, None, end) == DueCount(number, is_exact=True)
        assert len(list_failing_times(filters, end)) == failing
    assert count_due(DueFilters(), NOW + MINUTE, NOW + 3 * MINUTE) == DueCount(2, is_exact=True)


def test_many_are_estimated_and_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given more than are counted
    monkeypatch.setattr(due_counts, "_FEW", 3)
    monkeypatch.setattr(due_counts, "_MAX_COUNTED", 3)
    for number in range(20):
        stored_connection(f"account-{number}", grant=grant(renew_at=NOW))
    if name_dialect(database.obj) == "postgresql":
        database.execute_sql("ANALYZE connections")
    # When they are counted, then PostgreSQL says how many it expects, and others stop
    found = count_due(DueFilters(), None, NOW + MINUTE)
    expected = 20 if name_dialect(database.obj) == "postgresql" else 3
    assert found == DueCount(expected, is_exact=False)
