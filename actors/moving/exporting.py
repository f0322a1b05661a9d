"""Export: an app's settings, providers, keys and connections, as records that an import restores.

What another service needs no copy of is left out: events, jobs, and sign-ins that are under way.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from actors.connections.credentials.members import open_credentials
from actors.connections.reading import read_profile
from actors.moving.credentials import write_members
from actors.providers.config.lookup import find_credential
from catfeeder.clock import rfc3339, utc_now
from catfeeder.errors import SealBroken
from models.api_keys import TAB_API_KEYS
from models.apps import TAB_APPS
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION, public_name

_BATCH: Final = 500
_P: Final = TAB_USER_OAUTH_CONNECTION
#: Settings that the environment may hold for a shared provider, by the part of the variable's name.
_OF_ENVIRONMENT: Final = {
    "client_id": "CLIENT_ID",
    "client_secret": "CLIENT_SECRET",
    "private_key": "PRIVATE_KEY",
    "key_id": "KEY_ID",
    "team_id": "TEAM_ID",
    "certificate": "CERTIFICATE",
}


def export_lines(app: str, counts: Counter[str]) -> Iterator[bytes]:
    """Yield all of an app as JSON Lines, connections last and oldest first, and count them.

    `unreadable` are rows that something else has written, or whose secrets no key opens.
    """
    for name, record in _list_records(app):
        counts["unreadable" if record is None else name] += 1
        if record is not None:
            yield json.dumps(record).encode() + b"\n"


def _list_records(app: str) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Yield what each record counts as, and the record; None for an unreadable one."""
    with hold_connection():
        row = TAB_APPS.find(app)
        providers = list(_P.select().order_by(_P.name))
        keys = TAB_API_KEYS.list_all(app)
    yield "apps", _describe_app(row) if row is not None and row.is_authentic else None
    usable = None if row is None else row.settings.get("providers")
    for provider in providers:
        is_shared = provider.app is None and (usable is None or provider.name in usable)
        if is_shared or provider.app == app:
            yield "providers", _describe_provider(provider)
    yield from (("keys", _describe_key(key)) for key in keys if key.revoked_at is None)
    for connection in _list_connections(app):
        # One that waits for a device, or has waited for one in vain, has nothing to restore.
        if connection.version > 0 or connection.credentials is not None:
            yield "connections", _describe(connection)


def _describe_app(row: TAB_APPS) -> dict[str, Any]:
    return {
        "kind": "app",
        "id": row.id,
        "name": row.name,
        "settings": row.settings,
        "exported_at": rfc3339(utc_now()),
    }


def _list_connections(app: str) -> Iterator[TAB_CONNECTIONS]:
    after = None
    while True:
        with hold_connection():
            rows = TAB_CONNECTIONS.list_page(app=app, after=after, limit=_BATCH)
        yield from rows
        if len(rows) < _BATCH:
            return
        after = (rows[-1].created_at, rows[-1].id)


def _describe_provider(row: TAB_USER_OAUTH_CONNECTION) -> dict[str, Any] | None:
    """Return a provider's settings as `PUT /v1/providers` takes them, with its secrets."""
    try:
        return _reveal_provider(row) if row.is_authentic else None
    except SealBroken:
        return None


def _reveal_provider(row: TAB_USER_OAUTH_CONNECTION) -> dict[str, Any]:
    private_key = _P.private_key.open(row)
    found = {part: find_credential(row.name, name) for part, name in _OF_ENVIRONMENT.items()}
    settings = {name: text for name, text in found.items() if text} | row.metadata
    stated = {"preset": row.preset, "client_id": row.client_id}
    if private_key is not None:
        stated["private_key"] = private_key.reveal()
    if secrets := [secret.reveal() for secret in row.client_secrets]:
        settings.pop("client_secret", None)
        settings["client_secrets"] = secrets
    settings |= {name: text for name, text in stated.items() if text is not None}
    return {
        "kind": "provider",
        "name": public_name(row.name),
        "is_shared": row.app is None,
        "settings": settings,
    }


def _describe_key(row: TAB_API_KEYS) -> dict[str, Any]:
    return {
        "kind": "api_key",
        "id": row.id,
        "name": row.name,
        "key_hash": row.key_hash,
        "scopes": row.scopes,
        "requests_per_minute": row.requests_per_minute,
        "created_at": rfc3339(row.created_at),
        "expires_at": rfc3339(row.expires_at),
    }


def _describe(row: TAB_CONNECTIONS) -> dict[str, Any] | None:
    try:
        return _reveal_connection(row) if row.is_authentic else None
    except SealBroken:
        return None


def _reveal_connection(row: TAB_CONNECTIONS) -> dict[str, Any]:
    tokens = {
        "access_token": _open(TAB_CONNECTIONS.access_token, row),
        "refresh_token": _open(TAB_CONNECTIONS.refresh_token, row),
        "token_type": row.token_type,
        "scope": row.scope,
        "expires_at": rfc3339(row.expires_at),
        "refresh_token_expires_at": rfc3339(row.grant_expires_at) if row.refresh_token else None,
    }
    return {
        "id": row.id,
        "provider": public_name(row.provider),
        "subject": row.subject or None,
        "tokens": tokens,
        **_reveal_credentials(row),
        "profile": read_profile(row),
        "metadata": row.metadata,
        "variables": row.variables,
        "missing_scopes": row.missing_scope.split(),
        "status": row.status,
        "created_at": rfc3339(row.created_at),
    }


def _reveal_credentials(row: TAB_CONNECTIONS) -> dict[str, Any]:
    credentials = open_credentials(row)
    if credentials is None:
        return {}
    members, scope = write_members(credentials)
    return {"credentials": members, "scope": scope}


def _open(column: Any, row: TAB_CONNECTIONS) -> str | None:
    secret = column.open(row)
    return None if secret is None else str(secret.reveal())
