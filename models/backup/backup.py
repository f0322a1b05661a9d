"""Backup and restore of the whole database, between databases of any kind."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import peewee

from models.backup.files import BackupReader, BackupWriter, Head, build_head
from models.backup.tables import (
    drop_all,
    hold_snapshot,
    is_unused,
    list_columns,
    list_existing,
    read_rows,
    write_rows,
)
from models.db.database import database, hold_connection, sealer
from models.db.errors import BackupInvalid, DatabaseInUse, ForeignSecretKey
from models.migrate import apply_migrations, check_schema, list_applied, list_known, lock_migrations
from models.oauth.connections import TAB_CONNECTIONS
from models.sealing.keys import TAB_SEALING_KEYS


def back_up(file: BinaryIO, made_at: str, release: str) -> tuple[Head, Counter[str]]:
    """Write all tables to an open file as they are at one moment; return its head and its rows.

    `made_at`, a time of RFC 3339, and `release` are what the file says of itself.

    Raises:
        DatabaseUnreachable, ForeignSecretKey, SchemaTooOld: As `check_schema`.
        OSError: The file cannot be written.
    """
    check_schema()
    counts: Counter[str] = Counter()
    with hold_snapshot():
        key_ids = [row.key_id for row in TAB_SEALING_KEYS.select()]
        head = build_head(release, made_at, key_ids, list_applied())
        writer = BackupWriter(file, head)
        for table in list_existing():
            columns = list_columns(table)
            counts[table] = writer.write_table(table, columns, read_rows(table, columns))
        writer.finish()
    return head, counts


def restore(path: Path) -> tuple[Head, Counter[str]]:
    """Put a backup in place of an unused database, all or nothing; return its head and its rows.

    A backup of an earlier release gets the migrations that it lacks.

    Raises:
        BackupInvalid: It is no backup, is damaged, or is of a later release.
        DatabaseInUse: The database holds what the restore would erase.
        ForeignSecretKey: It was sealed with a key that this process does not have.
        OSError: The file cannot be read.
    """
    reader = BackupReader(path)
    _check_head(reader.head)
    with hold_connection(), lock_migrations(), database.atomic():
        if not is_unused():
            raise DatabaseInUse
        drop_all()
        apply_migrations(reader.head["migrations"])
        counts: Counter[str] = Counter()
        for table, columns, rows in reader.read_tables():
            if table not in list_existing() or not set(columns) <= set(list_columns(table)):
                raise BackupInvalid
            counts[table] = write_rows(table, columns, rows)
        apply_migrations(list_known())
    return reader.head, counts


def count_due_since(now: datetime) -> list[tuple[str, int]]:
    """Return by provider how many refresh tokens may have been spent since a backup.

    They are those whose renewal is due by now: the service that was may have made it.
    """
    table = TAB_CONNECTIONS
    query = (
        table.select(table.provider, peewee.fn.COUNT(table.id))
        .where(table.refresh_token.is_null(False), table.renew_at <= now)
        .group_by(table.provider)
        .order_by(table.provider)
    )
    with hold_connection():
        return [(row[0], row[1]) for row in query.tuples().iterator()]


def _check_head(head: Head) -> None:
    if not set(head["migrations"]) <= set(list_known()):
        raise BackupInvalid("The backup is of a later release: restore it with that.")
    known = {key.hex() for key in sealer().key_ids}
    if lacking := sorted(set(head["key_ids"]) - known):
        raise ForeignSecretKey(
            f"The backup needs the SECRET_KEY of the id {', '.join(lacking)}, and this one's is "
            f"{sealer().current_key_id.hex()}: set that, or add it to SECRET_KEY_PREVIOUS."
        )
