"""Grant: what a token endpoint issued (RFC 6749, 5.1), and when it ends for good."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from catfeeder.sealing import Secret

MAX_METADATA_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class GrantEnd:
    """When a grant ends for good, if that is known, and when its app is next warned of it."""

    expires_at: datetime | None = None
    warn_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """The tokens that a provider issued, their scope, and when each ends, in UTC.

    `missing_scope` are the scopes that were requested and not granted; without an `end` the one
    that is stored stays in force. `lifetime_seconds` is that of the access token, where the
    provider stated it; without it the last one that is stored stays in force, and so does the
    `metadata` without new ones.

    Without an `access_token` the connection's credentials stand in requests themselves.
    Where the renewal `needs_refresh_token` and the connection has none, `renew_at` does not count.
    """

    #: None of a grant that was moved in with a refresh token alone.
    access_token: Secret | None
    refresh_token: Secret | None
    token_type: str
    scope: str
    expires_at: datetime | None
    renew_at: datetime | None
    missing_scope: str = ""
    end: GrantEnd | None = None
    lifetime_seconds: int | None = None
    needs_refresh_token: bool = True
    metadata: Mapping[str, Any] | None = None
    #: The resources that a sign-in has asked for, and `auth_time` and `acr` of its login.
    sign_in: Mapping[str, Any] | None = None
    #: What a new connection without a browser is made from; without them those stored stay.
    credentials: Secret | None = None


def merge_metadata(
    known: Mapping[str, Any] | None, latest: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Return a connection's metadata with the latest members, which come first if space is short.

    None where they change nothing.
    """
    kept = {name: value for name, value in (known or {}).items() if name not in latest}
    merged = limit_metadata({**latest, **kept})
    return None if merged == (known or {}) else merged


def limit_metadata(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return members without those that do not fit into 4 KiB beside the ones before."""
    if not members or len(json.dumps(members)) <= MAX_METADATA_BYTES:
        return dict(members)
    kept: dict[str, Any] = {}
    for name, value in members.items():
        if len(json.dumps({**kept, name: value})) <= MAX_METADATA_BYTES:
            kept[name] = value
    return kept
