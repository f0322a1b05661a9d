"""Grant: what a token endpoint issued (RFC 6749, 5.1), and when it ends for good."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from catfeeder.sealing import Secret


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
    provider stated it; without it the last one that is stored stays in force.

    Where the renewal `needs_refresh_token` and the connection has none, `renew_at` does not count.
    """

    access_token: Secret
    refresh_token: Secret | None
    token_type: str
    scope: str
    expires_at: datetime | None
    renew_at: datetime | None
    missing_scope: str = ""
    end: GrantEnd | None = None
    lifetime_seconds: int | None = None
    needs_refresh_token: bool = True
