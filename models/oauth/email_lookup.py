"""Look-up of connections by e-mail address: an index over the text of their profiles.

An address is the first member of a stored profile, whose members are sorted. The index holds the
text up to the second one, in lower case. So it needs no column, and no writer knows of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import peewee

from models.db.database import database

#: The rest of a longer text is left out: it is no address (RFC 5321 section 4.5.3.1).
_LENGTH: Final = 400
INDEX_NAME: Final = "connections_email_created_at"
#: MariaDB has no index over an expression, so there a column holds it that is computed.
MYSQL_COLUMN: Final = "email_key"
#: `, "` stands between two members; within a text the quote would be escaped. What is compared is
#: ASCII, and by the order "C" no locale has letters of its own.
EXPRESSIONS: Final[Mapping[str, str]] = {
    "postgresql": f"""lower(left(split_part(profile, ', "', 1), {_LENGTH}) COLLATE "C")""",
    "sqlite": f"""lower(substr(profile, 1, min({_LENGTH}, instr(profile, ', "') - 1)))""",
    "mysql": f"""LOWER(LEFT(SUBSTRING_INDEX(profile, ', "', 1), {_LENGTH}))""",
}


def name_dialect(db: object) -> str:
    """Return the dialect of a database, as `EXPRESSIONS` names it."""
    if isinstance(db, peewee.PostgresqlDatabase):
        return "postgresql"
    return "mysql" if isinstance(db, peewee.MySQLDatabase) else "sqlite"


def has_email(address: str) -> peewee.Expression:
    """Return the condition that a connection's profile has an address, in any case."""
    dialect = name_dialect(database.obj)
    key = MYSQL_COLUMN if dialect == "mysql" else EXPRESSIONS[dialect]
    wanted = sorted({_build_key(address), _build_key(address.lower())})
    condition: peewee.Expression = peewee.SQL(key).in_(wanted)
    return condition


def _build_key(address: str) -> str:
    # As the profile is stored, and as a database lowers it: escapes stay as they are.
    return json.dumps({"email": address})[:-1].lower()[:_LENGTH]
