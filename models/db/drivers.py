"""Loads Peewee without the client of PostgreSQL where this process has another database.

Peewee loads every client that is installed, and this one is a fifth of an idle process's memory.
"""

from __future__ import annotations

import sys
from typing import Final

from config import ConfigurationError, optional_variable, read_environment

_CLIENT: Final = "psycopg"


def uses_postgresql() -> bool:
    """Tell whether DATABASE_URL names a PostgreSQL; what is wrong with it is told later."""
    try:
        url = optional_variable(read_environment(), "DATABASE_URL")
    except ConfigurationError:
        return True
    return url is not None and url.startswith("postgres")


def _load_without_client() -> None:
    # So Python is told that a module is not there. Migrations come along: they load it as well.
    sys.modules[_CLIENT] = None  # type: ignore[assignment]
    try:
        import playhouse.migrations  # noqa: F401
    finally:
        del sys.modules[_CLIENT]


if not {"peewee", _CLIENT} & set(sys.modules) and not uses_postgresql():
    _load_without_client()
