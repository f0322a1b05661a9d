"""Tests of bulk imports: what they cost where a database holds many connections."""

from __future__ import annotations

import pytest

from models.db.database import database, hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.lookups.accounts import find_accounts
from tests.models.rows import stored_connection
from tests.models.statements import listen


@pytest.mark.parametrize("database_kind", ["postgresql"])
@pytest.mark.usefixtures("tables")
def test_accounts_are_looked_up_by_index() -> None:
    # Given thousands of connections of one provider
    with hold_connection():
        first = stored_connection("account-0")
        names = [field.column_name for field in TAB_CONNECTIONS._meta.sorted_fields]
        new = {"id": "number", "provider_subject": "'account-' || number"}
        columns = ", ".join(new.get(name, name) for name in names)
        database.execute_sql(
            f"INSERT INTO connections ({', '.join(names)}) SELECT {columns} "  # noqa: S608
            "FROM connections, generate_series(1, 5000) AS number"
        )
        # When some accounts are looked up, then those that there are are found
        wanted = [(first.app, first.provider, f"account-{number}") for number in range(4900, 5300)]
        with listen() as calls:
            assert len(find_accounts(wanted)) == 101
        # And no other connection was read
        [(sql, values)] = calls
        plan = "\n".join(row for (row,) in database.execute_sql(f"EXPLAIN ANALYZE {sql}", values))
    assert "Rows Removed by Filter" not in plan, plan
    assert "Sort" not in plan, plan
