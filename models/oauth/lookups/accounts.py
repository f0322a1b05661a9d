"""Look-up of accounts: which of hundreds have a connection, one index look-up each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from models.db.database import database
from models.db.statements import split, supports_bulk_writes
from models.oauth.connections import TAB_CONNECTIONS

_T: Final = TAB_CONNECTIONS
#: App, provider and `provider_subject` of a connection.
Account = tuple[str, str, str]
#: The first connection at or behind each name, in an order that the unique index alone has. Asked
#: for the one that equals it, a PostgreSQL without statistics of a table that has just grown takes
#: an index that begins with the provider, and reads all of its connections each time.
_EACH: Final = """SELECT found.* FROM unnest(%s::text[]) AS wanted(name), LATERAL (
    SELECT app, provider, provider_subject FROM connections
    WHERE (app, provider, provider_subject) >= (%s, %s, wanted.name)
    ORDER BY app, provider, provider_subject LIMIT 1
) AS found"""


def find_accounts(wanted: Iterable[Account]) -> set[Account]:
    """Return the accounts that have any connection."""
    by_provider: dict[tuple[str, str], set[str]] = {}
    for app, provider, name in wanted:
        by_provider.setdefault((app, provider), set()).add(name)
    find = _find_each if supports_bulk_writes() else _find_by_list
    return {
        (app, provider, name)
        for (app, provider), names in by_provider.items()
        for name in find(app, provider, sorted(names))
    }


def _find_each(app: str, provider: str, names: list[str]) -> Iterator[str]:
    accounts = set(database.execute_sql(_EACH, (names, app, provider)))
    return (name for name in names if (app, provider, name) in accounts)


def _find_by_list(app: str, provider: str, names: list[str]) -> Iterator[str]:
    rows = _T.select(_T.provider_subject).where(_T.app == app, _T.provider == provider)
    for some in split(names):
        for (name,) in rows.where(_T.provider_subject.in_(some)).tuples().iterator():
            yield name
