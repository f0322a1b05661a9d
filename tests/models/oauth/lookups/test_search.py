"""Tests of the search of connections: each page reads a bounded number of rows, by an index."""

from __future__ import annotations

from itertools import count

import pytest

from models.db.database import database, transaction
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.email_lookup import INDEX_NAME, has_email, name_dialect
from models.oauth.lookups import search as connection_search
from models.oauth.lookups.search import ConnectionSearch, Count, count_matching, find_page
from tests.models.rows import rewrite, stored_connection
from tests.models.times import NOW, SECOND

pytestmark = pytest.mark.usefixtures("held", "database")


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("Ann@Example.com", "ann@example.COM"),
        ("Jürgen@example.com", "jürgen@EXAMPLE.com"),
        ('"a,"b@example.com', '"a,"b@example.com'),
    ],
    ids=["any-case", "beyond-ascii", "quoted"],
)
def test_an_address_is_found_by_an_index(stored: str, asked: str) -> None:
    # Given a connection with an address among others, one of which has none
    mine = stored_connection("account-1")
    rewrite(TAB_CONNECTIONS, profile={"email": stored, "email_verified": True, "subject": "1"})
    other = stored_connection("account-2")
    assert other.id != mine.id
    # When it is searched for
    found = find_page(ConnectionSearch(text=asked), after=None, limit=9)
    # Then it alone is found, and not by reading the table
    assert [row.id for row in found.rows] == [mine.id]
    assert INDEX_NAME in explain(asked)


def explain(address: str) -> str:
    """Return how the database finds an address."""
    sql, values = TAB_CONNECTIONS.select(TAB_CONNECTIONS.id).where(has_email(address)).sql()
    verb = "EXPLAIN QUERY PLAN" if name_dialect(database.obj) == "sqlite" else "EXPLAIN"
    with transaction():
        if name_dialect(database.obj) == "postgresql":
            # It would read so few rows as they come.
            database.execute_sql("SET LOCAL enable_seqscan = off")
        return str(database.execute_sql(f"{verb} {sql}", values).fetchall())


def test_pages_hold_each_connection_once_the_newest_first() -> None:
    # Given connections of several providers, made two at a time
    made = [
        stored_connection(
            f"account-{number}",
            provider="google" if number % 3 else "github",
            subject="user-1" if number % 2 else "",
            now=NOW + (number // 2) * SECOND,
        )
        for number in range(12)
    ]
    newest_first = sorted(made, key=lambda row: (row.created_at, row.id), reverse=True)
    searches = {
        ConnectionSearch(): newest_first,
        ConnectionSearch(text="user-1"): [it for it in newest_first if it.subject],
        ConnectionSearch(app="default", status="active", providers=("google", "x/google")): [
            it for it in newest_first if it.provider == "google"
        ],
        ConnectionSearch(app="another"): [],
    }
    for search, expected in searches.items():
        # When all pages are read
        found: list[str] = []
        after = None
        for page_number in count():
            page = find_page(search, after=after, limit=2)
            found += [row.id for row in page.rows]
            after = page.end
            if after is None:
                break
            assert page_number < len(made)
        # Then they hold what matches
        assert found == [row.id for row in expected]
        assert count_matching(search) == Count(len(expected), is_exact=True)


def test_a_page_and_a_count_end_before_they_have_read_all(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given more connections of a provider than a page may read, the oldest one another app's
    for limit in ("_MAX_READ", "_CHUNK", "_MAX_COUNT_READ", "MAX_COUNT"):
        monkeypatch.setattr(connection_search, limit, 3)
    oldest = stored_connection("account-0", app="another")
    for number in range(1, 5):
        stored_connection(f"account-{number}", now=NOW + number * SECOND)
    search = ConnectionSearch(app="another", providers=[oldest.provider])
    # When it is searched for, then the first page ends where it has read enough
    first = find_page(search, after=None, limit=2)
    assert first.rows == []
    # And the next one goes on from there
    second = find_page(search, after=first.end, limit=2)
    assert [row.id for row in second.rows] == [oldest.id]
    # And a count says that it is not exact
    assert not count_matching(search).is_exact
    assert count_matching(ConnectionSearch()) == Count(3, is_exact=False)
