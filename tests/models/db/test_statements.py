"""Tests of prepared statements: each writes the row with the given values, or none."""

from __future__ import annotations

import pytest

from models.db.database import hold_connection
from models.db.statements import (
    find_by_key,
)
from models.oauth.connections import TAB_CONNECTIONS
from tests.models.rows import stored_connection

pytestmark = pytest.mark.usefixtures("held")


def ids(count: int) -> list[str]:
    """Store that many connections and return their ids."""
    with hold_connection():
        return [stored_connection(f"account-{number}").id for number in range(count)]


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
