"""Beginning a renewal: the lease is prolonged and the attempt written down, or neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.oauth.connections import TAB_CONNECTIONS
from models.renewal.attempts import TAB_ATTEMPTS
from models.renewal.leases import Lease, extend


@dataclass(frozen=True, slots=True)
class Attempt:
    """A renewal, and where it stands.

    `tries` is 1 for a token that is sent for the first time; more say that nobody knows what became
    of it before, and 0 that the renewal did not begin. `answered` is the journal's row where it
    holds an answer, to the last of them.
    """

    lease: Lease
    started_at: datetime
    tries: int = 1
    answered: TAB_ATTEMPTS | None = None

    @property
    def is_retry(self) -> bool:
        """Tell whether the provider may have seen the token before."""
        return self.tries > 1


def begin_renewal(
    lease: Lease, lease_until: datetime, digests: Sequence[str], now: datetime
) -> Attempt | None:
    """Prolong a lease and write down that its token is about to be sent; None if it was lost.

    `digests` are those of the token, as `token_digests` has them. Where an answer to an earlier
    try is known the journal stays as it is: nothing is to be sent. Call this in a transaction.
    """
    held = extend(lease, lease_until)
    if held is None:
        return None
    if TAB_ATTEMPTS.enter(held.connection_id, held.version, digests[0], now):
        return Attempt(held, now)
    earlier: TAB_ATTEMPTS = TAB_ATTEMPTS.get_by_id(held.connection_id)
    is_current = earlier.version == held.version
    if is_current and earlier.answer is not None:
        return Attempt(held, earlier.started_at, earlier.tries, earlier)
    tries = earlier.tries + 1 if is_current and earlier.token_digest in digests else 1
    earlier.enter_again(held.version, digests[0], tries, now)
    return Attempt(held, now, tries)


def begin_again(
    lease: Lease, answered: TAB_ATTEMPTS, digests: Sequence[str], now: datetime
) -> Attempt:
    """Write down that a token is sent again, since nobody understands the answer that is there."""
    tries = answered.tries + 1
    answered.enter_again(lease.version, digests[0], tries, now)
    return Attempt(lease, now, tries)


def bring_in_answer(connection_id: str, version: int, sealed: bytes, now: datetime) -> None:
    """Write an answer into the journal that was kept elsewhere, whatever became of its row.

    For a connection that has another grant by now, or is gone, it is of no use. Call this in a
    transaction.
    """
    is_current = (TAB_CONNECTIONS.id == connection_id) & (TAB_CONNECTIONS.version == version)
    if TAB_CONNECTIONS.get_or_none(is_current) is None:
        return
    TAB_ATTEMPTS.enter(connection_id, version, "", now)
    TAB_ATTEMPTS.update(version=version, answer=sealed).where(
        TAB_ATTEMPTS.connection_id == connection_id
    ).execute()


def cut_off_renewals(now: datetime, limit: int) -> list[str]:
    """Return the ids of connections whose renewal began and did not end while it had a lease.

    Also of those that are never due again, and for which an answer came to light after all.
    """
    table = TAB_CONNECTIONS
    is_late = table.lease_until <= now
    is_dead = table.lease_until.is_null() & table.renew_at.is_null()
    is_cut_off = is_late | (is_dead & TAB_ATTEMPTS.answer.is_null(False))
    joined = table.select(table.id).join(TAB_ATTEMPTS, on=(TAB_ATTEMPTS.connection_id == table.id))
    return [row.id for row in joined.where(is_cut_off).limit(limit)]


def claim_at_once(
    connection_id: str, version: int, now: datetime, lease_until: datetime
) -> Lease | None:
    """Lease one connection, due or not, unless a renewal of it has begun.

    A lease that still waits in a queue is taken over: whoever has it finds that it is lost. None
    when somebody is at it, or the connection has another version by now.
    """
    row = TAB_CONNECTIONS.with_id(connection_id)
    if row is None or row.version != version:
        return None
    until, found = lease_until, row.lease_until
    if found is not None and found > now:
        attempt = TAB_ATTEMPTS.of(connection_id)
        if attempt is not None and attempt.version == version:
            return None
        # The end tells one lease from another.
        until = max(until, found + timedelta(milliseconds=1))
    # A renewal that has begun since we looked has prolonged its lease, and is not taken over.
    table = TAB_CONNECTIONS
    is_as_found = table.lease_until.is_null() if found is None else table.lease_until == found
    is_ours = (table.id == connection_id) & (table.version == version) & is_as_found
    changed = table.update(lease_until=until).where(is_ours).execute()
    return Lease(connection_id, version, until) if changed else None
