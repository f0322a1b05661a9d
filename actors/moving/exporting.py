"""Export: all connections of an app with their tokens, as records that an import takes back."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from actors.connections.reading import read_profile
from catfeeder.clock import rfc3339
from catfeeder.errors import SealBroken
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.providers import public_name

_BATCH: Final = 500


def export_lines(app: str, counts: Counter[str]) -> Iterator[bytes]:
    """Yield the connections of an app as JSON Lines, oldest first, and count them.

    `unreadable` are rows that something else has written, or whose secrets no key opens.
    """
    for row in _list_all(app):
        try:
            record = _describe(row) if row.is_authentic else None
        except SealBroken:
            record = None
        counts["unreadable" if record is None else "exported"] += 1
        if record is not None:
            yield json.dumps(record).encode() + b"\n"


def _list_all(app: str) -> Iterator[TAB_CONNECTIONS]:
    after = None
    while True:
        with hold_connection():
            rows = TAB_CONNECTIONS.list_page(app=app, after=after, limit=_BATCH)
        yield from rows
        if len(rows) < _BATCH:
            return
        after = (rows[-1].created_at, rows[-1].id)


def _describe(row: TAB_CONNECTIONS) -> dict[str, Any]:
    tokens = {
        "access_token": _open(TAB_CONNECTIONS.access_token, row),
        "refresh_token": _open(TAB_CONNECTIONS.refresh_token, row),
        "token_type": row.token_type,
        "scope": row.scope,
        "expires_at": rfc3339(row.expires_at),
        "refresh_token_expires_at": rfc3339(row.grant_expires_at) if row.refresh_token else None,
    }
    record = {
        "id": row.id,
        "provider": public_name(row.provider),
        "subject": row.subject or None,
        "tokens": tokens,
        "profile": read_profile(row),
        "metadata": row.metadata,
        "variables": row.variables,
        "status": row.status,
        "created_at": rfc3339(row.created_at),
    }
    credentials = _open(TAB_CONNECTIONS.credentials, row)
    if credentials is None:
        return record
    return {**record, "tokens": {}, "credentials": json.loads(credentials)}


def _open(column: Any, row: TAB_CONNECTIONS) -> str | None:
    secret = column.open(row)
    return None if secret is None else str(secret.reveal())
