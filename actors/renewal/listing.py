"""Schedule of renewals: which token would be renewed when and why, and what would prevent it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from actors.connections.forecasts import GrantEnded, has_grant_ended
from actors.cursors import decode_cursor, encode_cursor
from actors.errors import AuthError, DiscoveryNeeded
from actors.providers.config.breaker import check_not_paused
from actors.providers.config.lookup import find_provider
from catfeeder.clock import rfc3339
from catfeeder.errors import SealBroken
from config import current_settings
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.renewal.upcoming import list_upcoming_renewals

_NO_REFRESH_TOKEN: Final = "There is no refresh token: the user has to sign in again."


class Cause(StrEnum):
    """Why a connection is renewed when it is."""

    EXPIRY = "expiry"
    RETRY = "retry"
    IN_PROGRESS = "in_progress"


def list_renewals(
    *,
    provider: str | None = None,
    subject: str | None = None,
    status: str | None = None,
    before: datetime | None = None,
    cursor: str | None = None,
    limit: int = 100,
    now: datetime,
) -> dict[str, Any]:
    """Return a page of renewals in the order in which they fall due, without renewing anything.

    `is_scheduled` says whether the schedule has renewals at all (`renew_oath_tokens`).

    Raises:
        CursorInvalid: `cursor` is not a `next_cursor` of an earlier page.
    """
    after = decode_cursor(cursor) if cursor else None
    with hold_connection():
        rows = list_upcoming_renewals(
            provider=provider,
            subject=subject,
            status=status,
            before=before,
            after=after,
            limit=limit + 1,
        )
        page = rows[:limit]
        hindrance_of = _hindrances(page, now)
    end = encode_cursor((page[-1].renew_at, page[-1].id)) if len(rows) > limit else None
    return {
        "is_scheduled": current_settings().crons.renew_oath_tokens,
        "items": [_describe(row, hindrance_of, now) for row in page],
        "next_cursor": end,
    }


def _describe(
    row: TAB_CONNECTIONS, hindrance_of: Callable[[TAB_CONNECTIONS], str | None], now: datetime
) -> dict[str, Any]:
    cause = _cause(row, now)
    return {
        "connection_id": row.id,
        "provider": row.provider,
        "subject": row.subject or None,
        "status": str(row.status),
        "renew_at": rfc3339(row.renew_at),
        "expires_at": rfc3339(row.expires_at),
        "grant_expires_at": rfc3339(row.grant_expires_at),
        "is_due": row.renew_at <= now,
        "cause": str(cause),
        "why": _sentence(row, cause),
        "hindrance": hindrance_of(row),
    }


def _cause(row: TAB_CONNECTIONS, now: datetime) -> Cause:
    if row.lease_until is not None and row.lease_until > now:
        return Cause.IN_PROGRESS
    return Cause.RETRY if row.status == ConnectionStatus.RENEWAL_FAILING else Cause.EXPIRY


def _sentence(row: TAB_CONNECTIONS, cause: Cause) -> str:
    if cause is Cause.IN_PROGRESS:
        return f"A worker has it in hand, until {rfc3339(row.lease_until)} at the latest."
    if cause is Cause.RETRY:
        return f"Failed {row.failures} times in a row: {row.reason}"
    return f"The token expires at {rfc3339(row.expires_at)}."


def _hindrances(
    rows: list[TAB_CONNECTIONS], now: datetime
) -> Callable[[TAB_CONNECTIONS], str | None]:
    """Look up each provider of a page once; return a function from row to what prevents it."""
    found = {name: _look_up(name, now) for name in {row.provider for row in rows}}

    def find_hindrance(row: TAB_CONNECTIONS) -> str | None:
        renewal, fault = found[row.provider]
        ended = GrantEnded().detail if has_grant_ended(row, now) else None
        return fault or ended or (None if _can_renew(row, renewal) else _NO_REFRESH_TOKEN)

    return find_hindrance


def _can_renew(row: TAB_CONNECTIONS, renewal: str) -> bool:
    tokens = {"refresh_token": row.refresh_token, "fb_exchange_token": row.access_token}
    return tokens.get(renewal) is not None


def _look_up(provider: str, now: datetime) -> tuple[str, str | None]:
    """Return how a provider's tokens are renewed, and what prevents that."""
    try:
        renewal = find_provider(provider).renewal
        check_not_paused(provider, now)
        return renewal, None
    except DiscoveryNeeded:
        return "refresh_token", None  # The renewal itself asks the issuer first.
    except (AuthError, SealBroken) as error:
        return "", error.detail
