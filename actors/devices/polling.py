"""Poll of a device authorization (RFC 8628 section 3.5): once for each lease, never too early."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from actors.connections.errors import AccessDenied, ExpiredToken
from actors.devices.outcomes import Poll, end_refused, finish
from actors.errors import AuthError
from actors.providers.config.discovery import resolve_provider
from actors.providers.errors import ProviderUnreachable
from actors.providers.protocol.filling import fill_variables
from actors.providers.protocol.tokens.devices import PollRefusal, Refused, poll_token
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError, SealBroken
from catfeeder.queue.requester import act_for
from config import current_settings
from models.db.database import hold_connection
from models.oauth.devices import TAB_DEVICE_AUTHORIZATIONS, DeviceStatus, PollLease

_LOG = logging.getLogger(__name__)
Clock: TypeAlias = Callable[[], datetime]
#: What each `slow_down` adds to the interval, for good.
_SLOW_DOWN_SECONDS: Final = 5
#: What an interval is doubled to at most, unless the provider has asked for a longer one.
_MAX_BACKOFF_SECONDS: Final = 300
#: Beside the time limits of what a poll sends, for the database.
_SPARE_SECONDS: Final = 5


def poll_device(device_id: str, version: int) -> None:
    """Perform the message of the same name: poll once, under the lease that the sweep has given.

    No thread waits for the next poll: that is a time in the row.
    """
    poll_leased(PollLease(device_id, version))


def poll_leased(lease: PollLease, clock: Clock = utc_now) -> None:
    """Poll once for a device authorization, and store what comes of it.

    A lease that has run out, or was used before, does nothing.
    """
    if (poll := _begin(lease, clock())) is None:
        return
    try:
        with act_for(poll.row.app):
            _poll(poll, clock)
    except (AuthError, SealBroken) as error:
        _take_failure(poll, error, clock())


def _begin(lease: PollLease, now: datetime) -> Poll | None:
    """Exchange the sweep's lease for that of one poll; None if another process has done so.

    The lease outlasts the poll and the interval after it. So not even a process that is killed in
    between makes the next poll early.
    """
    with hold_connection():
        row = TAB_DEVICE_AUTHORIZATIONS.find(lease.id)
        if row is None:
            return None
        until = now + timedelta(seconds=_limit_seconds() + row.interval_seconds)
        held = TAB_DEVICE_AUTHORIZATIONS.extend(lease, until)
    return None if held is None else Poll(row, held)


def _limit_seconds() -> float:
    """Return how long a poll may take: two secrets of the client may be tried."""
    oauth = current_settings().oauth
    return 2 * (oauth.connect_timeout_seconds + oauth.read_timeout_seconds) + _SPARE_SECONDS


def _poll(poll: Poll, clock: Clock) -> None:
    row, now = poll.row, clock()
    if row.expires_at <= now:
        end_refused(poll, DeviceStatus.EXPIRED_TOKEN, ExpiredToken(), now)
        return
    code = TAB_DEVICE_AUTHORIZATIONS.device_code.open(row)
    if code is None:
        return
    provider = fill_variables(resolve_provider(row.provider, now), row.variables)
    answer = poll_token(provider, code)
    if isinstance(answer, Refused):
        _take_refusal(poll, answer, clock())
    else:
        # Its lifetime counts from before the request.
        finish(poll, provider, answer, now)


def _take_refusal(poll: Poll, refused: Refused, now: datetime) -> None:
    """Plan the next poll, or end; each `slow_down` makes the interval longer (section 3.5)."""
    interval = poll.row.interval_seconds
    match refused.reason:
        case PollRefusal.AUTHORIZATION_PENDING:
            _plan(poll, interval, now)
        case PollRefusal.SLOW_DOWN:
            stated = refused.interval_seconds or 0
            _plan(poll, max(interval + _SLOW_DOWN_SECONDS, stated), now)
        case PollRefusal.ACCESS_DENIED:
            end_refused(poll, DeviceStatus.ACCESS_DENIED, AccessDenied(), now)
        case PollRefusal.EXPIRED_TOKEN:
            end_refused(poll, DeviceStatus.EXPIRED_TOKEN, ExpiredToken(), now)


def _take_failure(poll: Poll, error: CatFeederError, now: datetime) -> None:
    """Poll half as often where the provider may answer later (section 3.5), else end."""
    if error.permanent:
        end_refused(poll, DeviceStatus.FAILED, error, now)
        return
    extra = {"connection_id": poll.row.id, "provider": poll.row.provider}
    _LOG.warning("The device of connection %s waits: %s", poll.row.id, error.detail, extra=extra)
    wished = error.retry_after_seconds if isinstance(error, ProviderUnreachable) else 0
    interval = poll.row.interval_seconds
    _plan(poll, max(interval, min(2 * interval, _MAX_BACKOFF_SECONDS)), now, wished)


def _plan(poll: Poll, interval_seconds: int, now: datetime, wished_seconds: int = 0) -> None:
    """Write the time of the next poll; the end of the code is met at once."""
    at = now + timedelta(seconds=max(interval_seconds, wished_seconds))
    with hold_connection():
        next_poll_at = min(at, poll.row.expires_at)
        TAB_DEVICE_AUTHORIZATIONS.plan_poll(poll.lease, interval_seconds, next_poll_at)
