"""Statements that a part of a test executes, and how SQLite plans them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from models.db.database import database


@contextmanager
def record_statements() -> Iterator[list[str]]:
    """Collect the statements of the block but for those that bound a transaction."""
    executed: list[str] = []
    with listen() as calls:
        yield executed
    bounds = ("BEGIN", "COMMIT", "SAVEPOINT")
    executed += [sql for sql, _ in calls if not sql.startswith(bounds)]


def explain(ask: Callable[[], object]) -> list[str]:
    """Return the steps of SQLite's plan for each query and update that `ask` executes.

    SQLite plans without knowing how many rows there are.
    """
    with listen() as calls:
        ask()
    planned = [call for call in calls if call[0].startswith(("SELECT", "UPDATE"))]
    plans = [database.execute_sql(f"EXPLAIN QUERY PLAN {sql}", rest) for sql, rest in planned]
    return [step[-1] for plan in plans for step in plan.fetchall()]


@contextmanager
def listen() -> Iterator[list[tuple[str, Any]]]:
    """Collect the statements of the block with their values."""
    calls: list[tuple[str, Any]] = []
    execute = database.obj.execute_sql

    def listen(sql: str, parameters: Any = None, **options: Any) -> Any:
        calls.append((sql, parameters))
        return execute(sql, parameters, **options)

    database.obj.execute_sql = listen
    try:
        yield calls
    finally:
        del database.obj.execute_sql
