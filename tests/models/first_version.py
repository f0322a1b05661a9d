"""A database as the first version of the service left it: its tables, and rows in each of them."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from catfeeder.sealing import DATABASE_LABEL, KeyRing
from config import Settings
from models.db.database import database, transaction

CONNECTION_ID: Final = "0b8e4d9c-7c4e-4b8e-9d57-3f2f5f0c1a52"
STATE: Final = "a-state:house"
#: 2026-11-23, 12:00 in UTC, in milliseconds.
NOON: Final = 1_795_435_200_000
_HOUR: Final = 3_600_000


def fill_first_tables(settings: Settings) -> None:
    """Write what the first version wrote, in plain SQL: no later change of the code touches it."""
    state_hash = hashlib.sha256(STATE.encode()).hexdigest()
    sealer = KeyRing(settings.secret_keys()).sealer(DATABASE_LABEL)

    def sealed(table: str, key: str, column: str) -> bytes:
        return sealer.seal(f"the {column}".encode(), f"{table}:{key}:{column}")

    with transaction():
        _insert(
            "user_oauth_connection",
            name="house",
            client_id="app",
            client_secret=sealed("user_oauth_connection", "house", "client_secret"),
            metadata='{"issuer": "https://id.example.com", "scopes": ["openid"]}',
            discovered='{"token_endpoint": "https://id.example.com/token"}',
            discovered_at=NOON,
            created_at=NOON,
            updated_at=NOON,
        )
        _insert(
            "verification",
            state_hash=state_hash,
            provider="house",
            subject="user-1",
            scope="openid",
            redirect_uri="http://127.0.0.1:5000/v1/oauth/callback",
            nonce=sealed("verification", state_hash, "nonce"),
            code_verifier=sealed("verification", state_hash, "code_verifier"),
            status="pending",
            created_at=NOON,
            expires_at=NOON + _HOUR,
        )
        _insert(
            "connections",
            id=CONNECTION_ID,
            provider="house",
            subject="user-1",
            provider_subject="alice",
            profile='{"subject": "alice", "name": "Al\\u00efce"}',
            scope="openid email",
            status="renewal_failing",
            reason="It does not answer.",
            token_type="Bearer",
            access_token=sealed("connections", CONNECTION_ID, "access_token"),
            refresh_token=sealed("connections", CONNECTION_ID, "refresh_token"),
            expires_at=NOON + _HOUR,
            renew_at=NOON,
            version=3,
            failures=2,
            created_at=NOON - _HOUR,
            updated_at=NOON,
        )
        _insert("crons", name="renew_oaths", next_at=NOON + _HOUR)
        _insert("server", id=1, generation=7, stopped_generation=6, booted_at=NOON)
        _insert("sealing_keys", key_id=sealer.current_key_id.hex(), first_used_at=NOON)


def _insert(table: str, **values: Any) -> None:
    columns = ", ".join(values)
    places = ", ".join([database.obj.param] * len(values))
    database.execute_sql(
        f"INSERT INTO {table} ({columns}) VALUES ({places})",  # noqa: S608
        tuple(values.values()),
    )
