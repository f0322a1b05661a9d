"""Tests of writing many rows: by one statement or by many, it tells of each row what came of it."""

from __future__ import annotations

import pytest

from models.attempts import TAB_ATTEMPTS
from models.connections import TAB_CONNECTIONS
from models.database import connected, transaction
from models.many import DeleteMany, InsertMany, UpdateMany
from tests.models.rows import stored_connection
from tests.models.times import MINUTE, NOW

pytestmark = pytest.mark.usefixtures("database")

_C, _A = TAB_CONNECTIONS, TAB_ATTEMPTS
ENTER = InsertMany(
    *(_A.connection_id, _A.version, _A.token_digest, _A.tries, _A.started_at), is_new_only=True
)


def ids(count: int) -> list[str]:
    """Store that many connections and return their ids."""
    with connected():
        return [stored_connection(f"account-{number}").id for number in range(count)]


@pytest.mark.parametrize("count", [1, 3])
def test_rows_that_are_as_given_are_updated(count: int) -> None:
    found = ids(count + 1)
    statement = UpdateMany([_C.lease_until, _C.reason, _C.access_token], [_C.id, _C.version])

    # When some rows have the version that is given, and others do not
    rows = [(NOW + at * MINUTE, None, b"\0\xff", found[at], 1) for at in range(count)]
    with transaction():
        assert statement.execute([*rows, (NOW, "lost", b"", found[count], 2)]) == [
            *([True] * count),
            False,
        ]

    # Then those are changed, each as it was told, and the others are not
    with connected():
        changed = [TAB_CONNECTIONS.get_by_id(one) for one in found]
    assert [row.lease_until for row in changed] == [
        *(NOW + at * MINUTE for at in range(count)),
        None,
    ]
    assert [bytes(row.access_token) == b"\0\xff" for row in changed] == [*([True] * count), False]


@pytest.mark.parametrize("count", [1, 3])
def test_rows_that_are_there_are_not_inserted_again(count: int) -> None:
    found = ids(count + 1)
    with transaction():
        assert ENTER.execute([(found[0], 1, "first", 1, NOW)]) == [True]

        rows = [(one, 2, "second", 1, NOW) for one in found]
        assert ENTER.execute(rows) == [False, *([True] * count)]

    with connected():
        assert sorted(row.token_digest for row in TAB_ATTEMPTS.select()) == [
            "first",
            *(["second"] * count),
        ]


@pytest.mark.parametrize("count", [1, 3])
def test_rows_that_are_as_given_are_deleted(count: int) -> None:
    found = ids(count + 1)
    with transaction():
        ENTER.execute([(one, 1, "digest", 1, NOW) for one in found])

        deleted = DeleteMany(_A.connection_id, _A.version).execute(
            [*((one, 1) for one in found[:count]), (found[count], 2)]
        )

    assert deleted == [*([True] * count), False]
    with connected():
        assert [row.connection_id for row in TAB_ATTEMPTS.select()] == [found[count]]


def test_nothing_is_written_for_no_rows() -> None:
    with transaction():
        assert ENTER.execute([]) == []
