"""Grants of renewals: stored by group commit, fenced by the version of the connection."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from actors.events.audit import build_event
from actors.events.kinds import EventKind
from actors.renewal.limits import LIMITS, RenewalLimits
from actors.renewal.outcomes.counting import count_grant
from actors.renewal.outcomes.retries import retry_while_unreachable
from actors.telemetry.tracing import span
from catfeeder.clock import utc_now
from models.db.database import hold_connection
from models.db.errors import DatabaseUnreachable
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.oauth.grants import Grant
from models.renewal.grouped_writes import defer_finish
from models.renewal.journal import Attempt
from models.renewal.leases import Lease


def store_grant(
    attempt: Attempt,
    row: TAB_CONNECTIONS,
    grant: Grant,
    now: datetime,
    limits: RenewalLimits = LIMITS,
) -> Callable[[], None]:
    """Store a renewal's grant, unless the connection has got another one since.

    Returns:
        What waits until the grant is stored. It is stored with this thread's next write, at the
        latest when the result is called. That call raises DatabaseUnreachable if the database
        stays away; then the answer is kept, and `recover` finishes the renewal.
    """
    known = _reread_if_late(row, attempt.lease)
    begun = [_begin_storing(attempt.lease, known, grant, now)]

    def store() -> None:
        wait = begun.pop() if begun else _begin_storing(attempt.lease, known, grant, now)
        with span("store grant"):
            is_stored = wait()
        count_grant(row.provider, is_stored=is_stored)

    return lambda: retry_while_unreachable(store, limits.outcome_seconds)


def _reread_if_late(row: TAB_CONNECTIONS, lease: Lease) -> TAB_CONNECTIONS:
    """Return the connection as it is now if its lease has run out: its status may have changed."""
    if utc_now() > lease.until:
        with suppress(DatabaseUnreachable), hold_connection():
            return TAB_CONNECTIONS.find(row.id) or row
    return row


def _begin_storing(
    lease: Lease, row: TAB_CONNECTIONS, grant: Grant, now: datetime
) -> Callable[[], bool]:
    events = [build_event(EventKind.RENEWED, now=now, connection=row)]
    known = row.missing_scope.split()
    if missing := [scope for scope in grant.missing_scope.split() if scope not in known]:
        events.append(build_event(EventKind.SCOPE_MISSING, now=now, connection=row, scopes=missing))
    if row.status != ConnectionStatus.ACTIVE:
        failures = row.failures
        events.append(build_event(EventKind.RECOVERED, now=now, connection=row, failures=failures))
    return defer_finish(lease, grant, now, events)
