"""Counts of renewals that fall due within a time: exact while they are few, else estimated."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import peewee

from models.db.database import database
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus

#: Where the planner expects more, they are not counted.
_FEW: Final = 500
#: Without a planner that is asked, more are not counted.
_MAX_COUNTED: Final = 2_000
_MAX_FAILING: Final = 500
_T: Final = TAB_CONNECTIONS


class DueFilters(NamedTuple):
    """Whose connections are counted; None is any."""

    app: str | None = None
    providers: Sequence[str] | None = None

    def match(self, app: str, provider: str) -> bool:
        """Return whether a connection of an app with a provider is one of them."""
        return self.app in (None, app) and (self.providers is None or provider in self.providers)


class DueCount(NamedTuple):
    """How many connections fall due within a time; at least, or about, where not exact."""

    number: int
    is_exact: bool


def count_due(filters: DueFilters, since: datetime | None, before: datetime) -> DueCount:
    """Count the connections that fall due within a time.

    PostgreSQL's planner says how many it expects, by the statistics that its autovacuum keeps. Only
    where those are few, and by the other databases, are they counted, to a bound.
    """
    due = _T.select(_T.id).where(_T.renew_at < before)
    if since is not None:
        due = due.where(_T.renew_at >= since)
    if filters.providers is not None:
        due = due.where(_T.provider.in_(filters.providers))
    if (expected := _estimate(due)) is not None and expected > _FEW:
        if filters.app is not None:
            expected = _estimate(due.where(_T.app == filters.app)) or 0
        return DueCount(expected, is_exact=False)
    rows = list(due.select(_T.app, _T.provider).limit(_MAX_COUNTED + 1).tuples().iterator())
    found = sum(filters.match(app, provider) for app, provider in rows)
    return DueCount(min(found, _MAX_COUNTED), is_exact=len(rows) <= _MAX_COUNTED)


def list_failing_times(filters: DueFilters, before: datetime) -> list[datetime]:
    """Return when connections are due whose renewal fails at the moment, the first ones first."""
    is_failing = _T.status == ConnectionStatus.RENEWAL_FAILING
    query = _T.select(_T.app, _T.provider, _T.renew_at).where(is_failing, _T.renew_at < before)
    rows = query.order_by(_T.renew_at).limit(_MAX_FAILING).tuples().iterator()
    return [at for app, provider, at in rows if filters.match(app, provider)]


def _estimate(query: peewee.ModelSelect[Any]) -> int | None:
    """Return how many rows PostgreSQL expects of a query; None of another database."""
    if not isinstance(database.obj, peewee.PostgresqlDatabase):
        return None
    sql, values = query.sql()
    found = database.execute_sql(f"EXPLAIN (FORMAT JSON) {sql}", values).fetchone()[0]
    plan = json.loads(found) if isinstance(found, str) else found
    return int(plan[0]["Plan"]["Plan Rows"])
