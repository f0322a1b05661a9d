"""Schedule of renewals: which token would be renewed when and why, and what would prevent it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, NamedTuple, TypedDict, Unpack

from actors.connections.forecasts import GrantEnded, has_grant_ended
from actors.cursors import decode_cursor, encode_cursor
from actors.errors import AuthError
from actors.providers.config.breaker import check_not_paused
from actors.providers.config.lookup import find_provider
from actors.providers.errors import DiscoveryNeeded
from catfeeder.clock import rfc3339
from catfeeder.errors import SealBroken
from catfeeder.queue.requester import visible_app
from catfeeder.results import Time
from config import current_settings
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.providers import list_keys, public_name
from models.renewal.upcoming import RenewalFilters, list_upcoming_renewals

_NO_REFRESH_TOKEN: Final = (
    "There is nothing to renew it with: when it has run out, the user signs in again for another."
)


class Cause(StrEnum):
    """Why a connection is renewed when it is."""

    EXPIRY = "expiry"
    UNKNOWN_END = "unknown_end"
    END = "end"
    RETRY = "retry"
    IN_PROGRESS = "in_progress"


class ScheduledRenewal(TypedDict):
    """When and why one connection is renewed, and what would prevent it; times are RFC 3339."""

    app: Annotated[str, "The app that the connection belongs to."]
    connection_id: str
    provider: str
    subject: str | None
    status: Annotated[str, ConnectionStatus]
    renew_at: Annotated[Time, "When it falls due; the next sweep takes it."]
    expires_at: Time | None
    grant_expires_at: Annotated[
        Time | None, "When the grant ends for good, if that is known: no renewal leads beyond it."
    ]
    is_due: bool
    cause: Annotated[
        str,
        Cause,
        "`expiry`: the token is about to end; `unknown_end`: no answer has stated when it does, so "
        "it is renewed as if it lived `assumed_lifetime_seconds`; `end`: there is nothing to renew "
        "it with, and its connection will be `ended`; `retry`: the last try has failed; "
        "`in_progress`: a worker is renewing it.",
    ]
    why: Annotated[str, "The same as a sentence."]
    hindrance: Annotated[str | None, "What would keep the renewal from succeeding now."]


class RenewalPage(TypedDict):
    """Renewals in the order in which they fall due."""

    is_scheduled: Annotated[bool, "Whether `renew_oath_tokens` of config.toml is on."]
    items: list[ScheduledRenewal]
    next_cursor: Annotated[str | None, "The `cursor` of the next page; null on the last one."]


class _Means(NamedTuple):
    """How a provider's tokens are renewed, and what prevents that for all of them."""

    renewal: str
    fault: str | None


def list_renewals(
    *,
    provider: str | None = None,
    before: datetime | None = None,
    cursor: str | None = None,
    limit: int = 100,
    now: datetime,
    **wanted: Unpack[RenewalFilters],
) -> RenewalPage:
    """Return a page of renewals in the order in which they fall due, without renewing anything.

    Raises:
        CursorInvalid: `cursor` is not a `next_cursor` of an earlier page.
    """
    after = decode_cursor(cursor) if cursor else None
    wanted["app"] = visible_app()
    with hold_connection():
        providers = None if provider is None else list_keys(visible_app(), provider)
        rows = list_upcoming_renewals(
            providers=providers, before=before, after=after, limit=limit + 1, **wanted
        )
        page = rows[:limit]
        shown = TAB_CONNECTIONS.keep_authentic(page)
        means = {name: _look_up(name, now) for name in {row.provider for row in shown}}
    end = encode_cursor((page[-1].renew_at, page[-1].id)) if len(rows) > limit else None
    return {
        "is_scheduled": current_settings().crons.renew_oath_tokens,
        "items": [_describe(row, means[row.provider], now) for row in shown],
        "next_cursor": end,
    }


def describe_renewal(row: TAB_CONNECTIONS, now: datetime) -> ScheduledRenewal | None:
    """Return when and why one connection is renewed; None where it is not due at any time."""
    if row.renew_at is None:
        return None
    with hold_connection():
        return _describe(row, _look_up(row.provider, now), now)


def _describe(row: TAB_CONNECTIONS, means: _Means, now: datetime) -> ScheduledRenewal:
    cause = _cause(row, means, now)
    return {
        "connection_id": row.id,
        "app": row.app,
        "provider": public_name(row.provider),
        "subject": row.subject or None,
        "status": str(row.status),
        "renew_at": rfc3339(row.renew_at),
        "expires_at": rfc3339(row.expires_at),
        "grant_expires_at": rfc3339(row.grant_expires_at),
        "is_due": row.renew_at <= now,
        "cause": str(cause),
        "why": _sentence(row, cause),
        "hindrance": _find_hindrance(row, means, now),
    }


def _cause(row: TAB_CONNECTIONS, means: _Means, now: datetime) -> Cause:
    if row.lease_until is not None and row.lease_until > now:
        return Cause.IN_PROGRESS
    if row.status == ConnectionStatus.RENEWAL_FAILING:
        return Cause.RETRY
    if means.fault is None and not _has_means(row, means):
        return Cause.END
    return Cause.UNKNOWN_END if row.expires_at is None else Cause.EXPIRY


def _has_means(row: TAB_CONNECTIONS, means: _Means) -> bool:
    tokens = {"refresh_token": row.refresh_token, "access_token": row.access_token}
    return tokens.get(means.renewal) is not None


def _sentence(row: TAB_CONNECTIONS, cause: Cause) -> str:
    if cause is Cause.IN_PROGRESS:
        return f"A worker has it in hand, until {rfc3339(row.lease_until)} at the latest."
    if cause is Cause.RETRY:
        return f"Failed {row.failures} times in a row: {row.reason}"
    if cause is Cause.UNKNOWN_END:
        seconds = current_settings().oauth.assumed_lifetime_seconds
        return (
            "No answer of the provider has stated when the token expires: it is renewed as if it "
            f"lived {seconds} seconds."
        )
    return f"The token expires at {rfc3339(row.expires_at)}."


def _find_hindrance(row: TAB_CONNECTIONS, means: _Means, now: datetime) -> str | None:
    if means.fault is not None:
        return means.fault
    if has_grant_ended(row, now):
        return GrantEnded().detail
    return None if _has_means(row, means) else _NO_REFRESH_TOKEN


def _look_up(provider: str, now: datetime) -> _Means:
    try:
        renewal = find_provider(provider).renewal
        check_not_paused(provider, now)
        return _Means(renewal, None)
    except DiscoveryNeeded:
        return _Means("refresh_token", None)  # The renewal itself begins with the discovery.
    except (AuthError, SealBroken) as error:
        return _Means("", error.detail)
