"""API keys: made once and shown once, known afterwards by their hash alone."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from actors.audit import EventKind, record
from actors.connections import rfc3339
from actors.errors import AuthError
from models.api_keys import TAB_API_KEYS
from models.database import connected, transaction

#: What a key may be allowed. `admin` includes the others.
SCOPES: Final = ("jobs", "connections:read", "tokens:read", "admin")
#: Lets secret scanners tell one of ours in a log or a repository.
_PREFIX: Final = "cfk"
_ID_BYTES: Final = 6
_SECRET_BYTES: Final = 32


class ApiKeyUnknown(AuthError):
    """There is no API key of that id, or it was revoked before."""


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Who calls: the id of the key, what it may do, and how often."""

    key_id: str
    scopes: frozenset[str]
    requests_per_minute: int | None

    def may(self, scope: str) -> bool:
        """Tell whether the key includes a scope."""
        return scope in self.scopes or "admin" in self.scopes


def make_api_key(
    *,
    name: str,
    scopes: Sequence[str],
    requests_per_minute: int,
    expires_at: datetime | None,
    now: datetime,
) -> dict[str, Any]:
    """Make a key and return it with its description; `key` is never shown again."""
    key_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    key = f"{_PREFIX}_{key_id}_{secret}"
    with transaction():
        record(EventKind.API_KEY_CREATED, now=now, key=key_id, scopes=list(scopes))
        row = TAB_API_KEYS.add(
            key_id=key_id,
            name=name,
            key_hash=_hash(key),
            scopes=scopes,
            requests_per_minute=requests_per_minute,
            expires_at=expires_at,
            now=now,
        )
    return {**describe_api_key(row), "key": key}


def find_holder(key: str, now: datetime) -> KeyHolder | None:
    """Return who holds a key; None when it is unknown, revoked or expired."""
    prefix, _, rest = key.partition("_")
    key_id = rest.partition("_")[0]
    if prefix != _PREFIX:
        return None
    with connected():
        row = TAB_API_KEYS.valid(key_id, now)
    if row is None or not hmac.compare_digest(row.key_hash, _hash(key)):
        return None
    return KeyHolder(row.id, frozenset(row.scopes), row.requests_per_minute)


def list_api_keys() -> list[dict[str, Any]]:
    """Return all keys, without what would let anybody use them."""
    with connected():
        return [describe_api_key(row) for row in TAB_API_KEYS.listed()]


def revoke_api_key(key_id: str, now: datetime) -> None:
    """End a key at once.

    Raises:
        ApiKeyUnknown: There is no such key, or it has ended before.
    """
    with transaction():
        if not TAB_API_KEYS.revoke(key_id, now):
            raise ApiKeyUnknown
        record(EventKind.API_KEY_REVOKED, now=now, key=key_id)


def describe_api_key(row: TAB_API_KEYS) -> dict[str, Any]:
    """Return what may be seen of a key."""
    return {
        "id": row.id,
        "name": row.name,
        "scopes": row.scopes,
        "requests_per_minute": row.requests_per_minute,
        "created_at": rfc3339(row.created_at),
        "expires_at": rfc3339(row.expires_at),
        "revoked_at": rfc3339(row.revoked_at),
    }


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
