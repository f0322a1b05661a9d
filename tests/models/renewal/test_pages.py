"""Tests of PostgreSQL's pages: what the writes of a renewal cost in a large table."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.db.database import database, hold_connection, transaction
from models.oauth.connections import TAB_CONNECTIONS
from models.renewal.sweeps import claim_due
from tests.models.rows import grant, stored_connection
from tests.models.times import MINUTE, NOW


@pytest.mark.parametrize("database_kind", ["postgresql"])
@pytest.mark.usefixtures("tables")
def test_a_lease_writes_no_index() -> None:
    # Given hundreds of connections, a few of them due
    with hold_connection():
        first = stored_connection("account", grant=grant(renew_at=NOW + timedelta(hours=1)))
        names = [field.column_name for field in TAB_CONNECTIONS._meta.sorted_fields]
        due = "CASE mod(number, 50) WHEN 0 THEN 0 ELSE renew_at END"
        new = {"id": "number", "provider_subject": "number", "renew_at": due}
        columns = ", ".join(new.get(name, name) for name in names)
        database.execute_sql(
            f"INSERT INTO connections ({', '.join(names)}) SELECT {columns} "  # noqa: S608
            "FROM connections, generate_series(1, 500) AS number"
        )
        # When these are leased
        with transaction():
            claimed = claim_due(first.provider, NOW, NOW + MINUTE, limit=100)
            [(in_place,)] = database.execute_sql(
                "SELECT n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'connections'"
            )
    # Then each row's new version is in the page of the old one, where the indexes find it
    assert len(claimed) == in_place == 10
