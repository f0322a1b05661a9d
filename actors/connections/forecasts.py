"""Forecasts of the ends of grants that no renewal prolongs, and warnings to apps ahead of them."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from actors.errors import AuthError
from actors.events.audit import record
from actors.events.kinds import EventKind
from actors.providers.protocol.provider import Provider
from actors.stopping import is_stop_requested
from catfeeder.clock import rfc3339, utc_now
from models.db.database import hold_connection, transaction
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.grants import GrantEnd
from models.renewal.forecasts import advance_warning, list_due_warnings

if TYPE_CHECKING:
    # The shim forecasts too, and calls no provider: it loads nothing that could.
    from actors.providers.protocol.tokens.answers import TokenResponse

_LOG = logging.getLogger(__name__)
#: How many days ahead an app is warned, the earliest first.
_DAYS_AHEAD: Final = (14, 7, 1)
#: Answers state the same end a little differently each time; that causes no new warning.
_TOLERANCE: Final = timedelta(hours=1)
#: Most ends come from a provider's documentation, which speaks of months; those differ in length.
_GRACE: Final = timedelta(days=7)
#: Grants that one query returns; each warning then has a transaction of its own.
_BATCH: Final = 100


class GrantEnded(AuthError):
    """Stands for a failure of a renewal behind the forecast end of its grant."""

    message = (
        "The provider's grant has reached its end, so renewal is not tried any more; sign in again."
    )


def forecast_consent_end(provider: Provider, tokens: TokenResponse, now: datetime) -> GrantEnd:
    """Return the end of a grant to which the user has consented `now`, and its first warning."""
    lifetime = provider.grant_lifetime_seconds
    counted = None if lifetime is None else now + timedelta(seconds=lifetime)
    expires_at = _forecast_end(provider, tokens, now, counted)
    return GrantEnd(expires_at, plan_warning(expires_at, now))


def forecast_renewal_end(
    provider: Provider, tokens: TokenResponse, known: datetime | None, now: datetime
) -> GrantEnd | None:
    """Return the end of a grant that was renewed `now`; None where it is the `known` one."""
    counted = known if provider.grant_lifetime_seconds is not None else None
    expires_at = _forecast_end(provider, tokens, now, counted)
    if expires_at is None or (known is not None and abs(expires_at - known) < _TOLERANCE):
        return None
    return GrantEnd(expires_at, plan_warning(expires_at, now))


def _forecast_end(
    provider: Provider, tokens: TokenResponse, now: datetime, counted: datetime | None
) -> datetime | None:
    """Return the end that the answer states, else the one by the provider's settings."""
    if tokens.refresh_token is None or provider.renewal != "refresh_token":
        # No renewal leads beyond the access token; Facebook's must be exchanged while it lives.
        seconds = tokens.expires_in
    elif tokens.refresh_token_expires_in is not None:
        seconds = tokens.refresh_token_expires_in
    elif counted is not None:
        return counted
    else:
        seconds = provider.grant_idle_lifetime_seconds
    return None if seconds is None else now + timedelta(seconds=seconds)


def plan_warning(expires_at: datetime | None, now: datetime) -> datetime | None:
    """Return the time of the next warning about a grant's end; None behind the last one."""
    if expires_at is None:
        return None
    ahead = (expires_at - timedelta(days=days) for days in _DAYS_AHEAD)
    return next((at for at in ahead if at > now), None)


def has_grant_ended(row: TAB_CONNECTIONS, now: datetime) -> bool:
    """Return whether a renewal that fails now is not to be tried again, since the grant is over."""
    return row.grant_expires_at is not None and row.grant_expires_at + _GRACE <= now


def forecast_grants() -> None:
    """Perform the message of the same name: warn apps of the grants that end soon."""
    count = warn_of_grant_ends(utc_now())
    _LOG.info("Recorded warnings of %d grants that end soon.", count)


def warn_of_grant_ends(now: datetime) -> int:
    """Record an event for each grant that ends in 14, 7 or 1 days, and return how many that were.

    Any number of processes record each warning once. One that was missed is made up for by the
    next, unless the grant has ended.
    """
    count = 0
    while not is_stop_requested() and (batch := _list_due(now)):
        count += sum(_warn(row, now) for row in batch)
    return count


def _list_due(now: datetime) -> list[TAB_CONNECTIONS]:
    with hold_connection():
        return list_due_warnings(now, _BATCH)


def _warn(row: TAB_CONNECTIONS, now: datetime) -> bool:
    ends_at = row.grant_expires_at
    # Other states already ask the user to sign in again.
    is_needed = ends_at > now and row.status in (
        ConnectionStatus.ACTIVE,
        ConnectionStatus.RENEWAL_FAILING,
    )
    with transaction():
        if not advance_warning(row, plan_warning(ends_at, now)) or not is_needed:
            return False
        days = min(days for days in _DAYS_AHEAD if ends_at - timedelta(days=days) <= now)
        kind = EventKind.REAUTHORIZATION_SOON
        record(kind, now=now, connection=row, days=days, grant_expires_at=rfc3339(ends_at))
    return True
