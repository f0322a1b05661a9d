"""Memory of an idle stack (promised below 350 MB): without PostgreSQL its client is not loaded.

Peewee imports every client that is installed. With this one an idle stack on SQLite takes 376 MB
of memory, without it 335 MB.
"""

from __future__ import annotations

import sys
from typing import Final

from config import uses_postgresql

_CLIENT: Final = "psycopg"


def _load_peewee_without_client() -> None:
    # With None in its place Python raises ImportError, as for a package that is not installed.
    # Migrations are loaded as well: they import the client too.
    sys.modules[_CLIENT] = None  # type: ignore[assignment]
    try:
        import playhouse.migrations  # noqa: F401
    finally:
        del sys.modules[_CLIENT]


if not {"peewee", _CLIENT} & set(sys.modules) and not uses_postgresql():
    _load_peewee_without_client()
