"""Placement look-up: a short-lived cache of where each provider's API wants credentials."""

from __future__ import annotations

import time
from typing import Final

from actors.providers.config.lookup import find_credential, merge_metadata
from actors.providers.protocol.placements import Placement
from models.db.database import hold_connection
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION

#: How long another process may go on with settings that were changed.
_TTL_SECONDS: Final = 1.0
_MAX_CACHED: Final = 1024
_cache: Final[dict[str, tuple[Placement, float]]] = {}


def find_placement(key: str) -> Placement:
    """Return the placement of the provider with that key of a row, at most a second old.

    A row that is gone, or not as this service wrote it, counts as one without templates.
    """
    placement, expires_at = _cache.get(key, (None, 0.0))
    now = time.monotonic()
    if placement is None or expires_at < now:
        placement = _read(key)
        if len(_cache) >= _MAX_CACHED:
            _cache.clear()
        _cache[key] = placement, now + _TTL_SECONDS
    return placement


def forget_placement(key: str) -> None:
    """Drop what is cached of a provider whose settings this process has changed."""
    _cache.pop(key, None)


def _read(key: str) -> Placement:
    with hold_connection():
        row = TAB_USER_OAUTH_CONNECTION.authentic(TAB_USER_OAUTH_CONNECTION.find(key))
    if row is None:
        return Placement()
    metadata = merge_metadata(row)
    return Placement(
        metadata.get("api_headers"),
        metadata.get("api_query_parameters"),
        row.client_id or find_credential(key, "CLIENT_ID") or "",
    )
