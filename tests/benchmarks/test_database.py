"""Database of the benchmarks: its rows are those of today's tables, and the service leases them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.renewals.database import (
    PROVIDER,
    configure_provider,
    fill,
    make_due,
    open_here,
    sqlite,
)
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from models.renewal.sweeps import claim_due


def test_what_a_benchmark_fills_in_can_be_leased_and_opened(tmp_path: Path) -> None:
    # Given a database that is full of connections
    with sqlite() as url, open_here(url, tmp_path):
        configure_provider("https://provider.example/token")
        fill(0, 3)
        now = datetime.now(UTC)
        # When some are made due
        make_due([1], now - timedelta(seconds=1))
        # Then these are leased, and their tokens open
        with hold_connection():
            [lease] = claim_due(PROVIDER, now, now + timedelta(minutes=1), 10)
            row = TAB_CONNECTIONS.get_by_id(lease.connection_id)
            token = TAB_CONNECTIONS.refresh_token.open(row)
    assert (row.app, row.subject) == ("default", "user-1")
    assert token is not None
