"""`python -m worker rows list`: lists rows that something else has written, and accepts one."""

from __future__ import annotations

from typing import Final

from config import current_settings
from models.db.database import open_database
from models.db.fields import primary_key_of
from models.migrate import check_schema
from models.sealing.refused_rows import accept_row, list_refused_rows
from worker.cli.terminal.output import print_json
from worker.cli.terminal.sentences import say_in_commands

#: What an operator does about a row of each table.
_REMEDIES: Final = {
    "api_keys": "it serves no more: make another key, and delete this row",
    "apps": "compare it with what you have set, then accept it, or restore it from a backup",
    "connections": "its user signs in again, or restore it from a backup",
    "events": "it is not delivered",
    "user_oauth_connection": "PUT /v1/providers/{key} sets it anew",
    "verification": "its user begins the sign-in again",
}
_ACCEPT: Final = "python -m worker rows accept TABLE KEY"


def check_rows(accept: list[str] | None, *, as_json: bool = False) -> int:
    """List the rows that do not count, or accept one as it is; return 1 if any remains.

    Raises:
        ConfigurationError: The database cannot be used.
    """
    open_database(current_settings(), may_create=False)
    check_schema()
    if accept is not None:
        return _accept(*accept)
    found = []
    for row in list_refused_rows():
        table, key = row._meta.table_name, primary_key_of(row)
        remedy = _REMEDIES.get(table, "restore it from a backup").replace("{key}", str(key))
        found.append({"table": table, "key": str(key), "remedy": remedy})
        if not as_json:
            print(f"{table} {key!a}: {say_in_commands(remedy)}.")
    if as_json:
        print_json({"items": found})
        return 1 if found else 0
    if count := len(found):
        print(f"{count} rows count as absent: this service did not write them as they are.")
        print(f"One that you know to be right is signed as it is by: {_ACCEPT}")
        return 1
    print("Every row is as this service wrote it.")
    return 0


def _accept(table: str, key: str) -> int:
    if not accept_row(table, key):
        print(f"There is no row {key!a} in the table {table!a}, or no row of it is signed.")
        return 1
    print(f"Row {key!a} of {table} counts again, as it is.")
    return 0
