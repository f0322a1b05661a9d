"""Search of connections: by e-mail address, and in the order of their making for each filter."""

from __future__ import annotations

from typing import Any, Final

import peewee

#: As `models.oauth.email_lookup` asks for it; MariaDB needs a column for it, which is computed.
_POSTGRESQL: Final = """
CREATE INDEX connections_email_created_at ON connections
((lower(left(split_part(profile, ', "', 1), 400) COLLATE "C")), created_at)
"""
_SQLITE: Final = """
CREATE INDEX connections_email_created_at ON connections
(lower(substr(profile, 1, min(400, instr(profile, ', "') - 1))), created_at)
"""
_MYSQL: Final = (
    """
    ALTER TABLE connections ADD COLUMN email_key VARCHAR(400)
    AS (LOWER(LEFT(SUBSTRING_INDEX(profile, ', "', 1), 400))) VIRTUAL
    """,
    "CREATE INDEX connections_email_created_at ON connections (email_key, created_at)",
)


def up(migrator: Any, db: peewee.Database) -> None:
    """Add the indexes; those that others begin with are dropped."""
    columns = ("app", "provider", "status", "subject")
    migrator.migrate(
        migrator.add_index("connections", ("created_at",)),
        *(migrator.add_index("connections", (name, "created_at")) for name in columns),
        migrator.drop_index("connections", "connections_subject"),
        migrator.add_index("events", ("kind", "id")),
        migrator.drop_index("events", "events_kind"),
    )
    if isinstance(db, peewee.PostgresqlDatabase):
        db.execute_sql(_POSTGRESQL)
        # Without figures of an expression it would be passed over.
        db.execute_sql("ANALYZE connections")
    elif isinstance(db, peewee.MySQLDatabase):
        for statement in _MYSQL:
            db.execute_sql(statement)
    else:
        db.execute_sql(_SQLITE)
