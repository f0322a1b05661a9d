"""Tests that a sweep reads no more than what is due, however many connections there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from config import Settings
from models.db.database import database as the_database
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from models.renewal.leases import claim_due, expedite_failing, list_due_providers
from tests.models.rows import grant, stored_connection
from tests.models.times import MINUTE, NOW


def steps_of(ask: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return how SQLite finds the rows of what is asked; it plans without knowing how many."""
    execute = the_database.obj.execute_sql
    steps: list[str] = []

    def explained(sql: str, parameters: Any = None) -> Any:
        if sql.startswith(("SELECT", "UPDATE")):
            plan = execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
            steps.extend(step[-1] for step in plan)
        return execute(sql, parameters)

    with monkeypatch.context() as patched:
        patched.setattr(the_database.obj, "execute_sql", explained)
        ask()
    return steps


@pytest.mark.parametrize(
    ("ask", "plans"),
    [
        # From one provider to the next, and whether something of it is due
        (lambda: list_due_providers(NOW), ["(provider>?)", "(provider=? AND renew_at<?)"]),
        (
            lambda: claim_due("google", NOW, NOW + MINUTE, 5),
            ["(provider=? AND renew_at<?)", "(id=?)"],
        ),
        # Of those that fail, which are few, and not of those that are not due, which are many
        (lambda: expedite_failing("google", NOW), ["(status=? AND renew_at>?)", "(id=?)"]),
    ],
    ids=["providers", "claim", "hasten"],
)
def test_it_goes_along_an_index(
    tables: Settings,  # noqa: ARG001
    ask: Callable[[], object],
    plans: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with hold_connection():
        stored_connection("a", grant=grant(renew_at=NOW))
        failing = stored_connection("b", grant=grant(renew_at=NOW + MINUTE))
        TAB_CONNECTIONS.update(status="renewal_failing").where(
            TAB_CONNECTIONS.id == failing.id
        ).execute()
        steps = steps_of(ask, monkeypatch)

    # Then each is a search in the index that is meant for it, and nothing is sorted
    assert {plan for plan in plans if any(plan in step for step in steps)} == set(plans), steps
    assert not [step for step in steps if step.startswith(("SCAN t1", "SCAN conn", "USE TEMP"))]
