"""Interrupted renewals: those whose journal was begun by a process that did not end them."""

from __future__ import annotations

from datetime import datetime

from models.oauth.connections import TAB_CONNECTIONS
from models.renewal.journal import TAB_ATTEMPTS


def list_interrupted_renewals(now: datetime, limit: int) -> list[str]:
    """Return the ids of connections whose renewal began and did not end within its lease.

    Connections that are never due again are among them if an answer was imported since. An attempt
    for an earlier version of its connection counts for nothing: a sign-in has replaced that grant.
    """
    table = TAB_CONNECTIONS
    is_late = table.lease_until <= now
    is_dead = table.lease_until.is_null() & table.renew_at.is_null()
    is_interrupted = is_late | (is_dead & TAB_ATTEMPTS.answer.is_null(False))
    is_current = (TAB_ATTEMPTS.connection_id == table.id) & (TAB_ATTEMPTS.version == table.version)
    joined = table.select(table.id).join(TAB_ATTEMPTS, on=is_current)
    return [row.id for row in joined.where(is_interrupted).limit(limit)]


def erase_stale_attempts() -> int:
    """Delete the attempts for earlier versions of connections without a lease.

    Returns:
        How many rows that were.
    """
    table = TAB_CONNECTIONS
    idle = table.select(table.version).where(
        table.id == TAB_ATTEMPTS.connection_id, table.lease_until.is_null()
    )
    return int(TAB_ATTEMPTS.delete().where(TAB_ATTEMPTS.version < idle).execute())


def import_answer(connection_id: str, version: int, sealed: bytes, now: datetime) -> None:
    """Write an answer into the journal that was kept in a file, with or without its row.

    It is discarded if the connection is gone or has another version. Call this in a transaction.
    """
    is_current = (TAB_CONNECTIONS.id == connection_id) & (TAB_CONNECTIONS.version == version)
    if TAB_CONNECTIONS.get_or_none(is_current) is None:
        return
    TAB_ATTEMPTS.record(connection_id, version, "", now)
    TAB_ATTEMPTS.update(version=version, answer=sealed).where(
        TAB_ATTEMPTS.connection_id == connection_id
    ).execute()
