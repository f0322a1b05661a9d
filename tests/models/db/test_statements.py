"""Tests of prepared statements: each writes the row with the given values, or none."""

from __future__ import annotations

import pytest

from models.db.database import hold_connection, transaction
from models.db.statements import (
    PreparedDelete,
    PreparedInsert,
    PreparedUpdate,
    find_by_key,
    find_by_keys,
)
from models.oauth.connections import TAB_CONNECTIONS
from models.renewal.journal import TAB_ATTEMPTS
from tests.models.rows import stored_connection
from tests.models.times import MINUTE, NOW

pytestmark = pytest.mark.usefixtures("held")

_C, _A = TAB_CONNECTIONS, TAB_ATTEMPTS
ENTER = PreparedInsert(
    *(_A.connection_id, _A.version, _A.token_digest, _A.tries, _A.started_at), ignore_conflicts=True
)


def ids(count: int) -> list[str]:
    """Store that many connections and return their ids."""
    with hold_connection():
        return [stored_connection(f"account-{number}").id for number in range(count)]


def test_a_row_that_is_as_given_is_updated() -> None:
    found, other = ids(2)
    statement = PreparedUpdate([_C.lease_until, _C.reason, _C.access_token], [_C.id, _C.version])

    # When one row has the version that is given, and another one has not
    with transaction():
        assert statement.execute(NOW + MINUTE, "why", b"\0\xff", found, 1)
        assert not statement.execute(NOW + MINUTE, "lost", b"", other, 2)

    # Then the one is changed, and the other is not
    changed, same = (TAB_CONNECTIONS.get_by_id(one) for one in (found, other))
    assert (changed.lease_until, changed.reason) == (NOW + MINUTE, "why")
    assert bytes(changed.access_token) == b"\0\xff"
    assert (same.lease_until, same.reason) == (None, None)


def test_a_row_that_is_there_is_not_inserted_again() -> None:
    found, other = ids(2)
    with transaction():
        assert ENTER.execute(found, 1, "first", 1, NOW)
        assert not ENTER.execute(found, 2, "second", 1, NOW)
        assert ENTER.execute(other, 2, "second", 1, NOW)

    assert {row.connection_id: row.token_digest for row in TAB_ATTEMPTS.select()} == {
        found: "first",
        other: "second",
    }


def test_a_row_that_is_as_given_is_deleted() -> None:
    found, other = ids(2)
    delete = PreparedDelete(_A.connection_id, _A.version)
    with transaction():
        for one in (found, other):
            ENTER.execute(one, 1, "digest", 1, NOW)

        assert delete.execute(found, 1)
        assert not delete.execute(other, 2)

    assert [row.connection_id for row in TAB_ATTEMPTS.select()] == [other]


def test_a_row_is_found_by_its_key_as_peewee_reads_it() -> None:
    found, other = ids(2)
    with hold_connection():
        rows = {key: TAB_CONNECTIONS.get_by_id(key) for key in (found, other)}
        # Each column is the same, and nothing counts as changed
        for key, row in rows.items():
            read = find_by_key(TAB_CONNECTIONS, key)
            assert read is not None
            assert (read.__data__, read.dirty_fields) == (row.__data__, row.dirty_fields)
        # And an unknown key has none
        assert find_by_key(TAB_CONNECTIONS, "unknown") is None


def test_rows_are_found_by_many_keys_at_once() -> None:
    found = ids(5)
    with hold_connection():
        rows = find_by_keys(TAB_CONNECTIONS, ["unknown", *found])
        none = find_by_keys(TAB_CONNECTIONS, [])
    assert sorted(row.id for row in rows) == sorted(found)
    assert none == []
