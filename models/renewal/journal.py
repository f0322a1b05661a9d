"""Journal: a renewal is recorded before its token is sent, and its answer before it is read."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

import peewee

from catfeeder.sealing import Key, KeyRing, Secret
from config import current_settings
from models.db.database import Table
from models.db.fields import SealedField, UTCDateTimeField
from models.oauth.connections import TAB_CONNECTIONS
from models.renewal.leases import Lease, extend

#: SECRET_KEY yields the keys of the digests under this label. Stored digests depend on it: never
#: change it.
_DIGEST_LABEL: Final = "catfeeder/attempt/v1"


class TAB_ATTEMPTS(Table):
    """A renewal in progress, for one version of its connection; the row goes when it ends.

    `tries` counts how often the token was sent since a try last ended in an outcome; 2 or more
    mean that a process was interrupted. `answer` is the provider's last answer, not yet parsed.
    """

    connection_id = peewee.CharField(max_length=36, primary_key=True)
    version = peewee.IntegerField()
    token_digest = peewee.CharField(max_length=64)
    tries = peewee.IntegerField()
    started_at = UTCDateTimeField()
    answer = SealedField(null=True)

    class Meta:
        """Names the table."""

        table_name = "attempts"

    @classmethod
    def record(cls, connection_id: str, version: int, digest: str, now: datetime) -> bool:
        """Record that a token is about to be sent; False if the connection has a row already."""
        inserted = (
            cls.insert(
                connection_id=connection_id,
                version=version,
                token_digest=digest,
                tries=1,
                started_at=now,
            )
            .on_conflict_ignore()
            .as_rowcount()
        )
        return bool(inserted.execute())

    @classmethod
    def find(cls, connection_id: str) -> TAB_ATTEMPTS | None:
        """Return the attempt of a connection, if it has one."""
        row: TAB_ATTEMPTS | None = cls.get_or_none(cls.connection_id == connection_id)
        return row

    def record_retry(self, version: int, digest: str, tries: int, now: datetime) -> None:
        """Record that the token is sent once more, or another one in its place."""
        self.version, self.token_digest, self.tries = version, digest, tries
        self.started_at, self.answer = now, None
        self.save(force_insert=False)

    @classmethod
    def mark_outcome_unknown(
        cls, connection_id: str, version: int, *, keep_answer: bool = False
    ) -> None:
        """Record that a try has ended without showing what became of the token.

        An answer that this version could not read is kept: a later version may.
        """
        changes = {cls.tries: 1} if keep_answer else {cls.tries: 1, cls.answer: None}
        cls.update(changes).where(cls._is(connection_id, version)).execute()

    @classmethod
    def end(cls, connection_id: str, version: int) -> None:
        """Erase an attempt, in one transaction with its outcome."""
        cls.delete().where(cls._is(connection_id, version)).execute()

    @classmethod
    def _is(cls, connection_id: str, version: int) -> peewee.Expression:
        return (cls.connection_id == connection_id) & (cls.version == version)


def seal_answer(connection_id: str, answer: Secret) -> bytes:
    """Return an answer sealed for its row in the journal."""
    return TAB_ATTEMPTS.answer.seal(connection_id, answer) or b""


def digest_token(token: Secret) -> list[str]:
    """Return a token's keyed digests: by SECRET_KEY first, then by each previous key.

    A digest identifies the token to this service, and reveals nothing of it.
    """
    keys = _digest_keys(tuple(current_settings().secret_keys()))
    return [hmac.digest(key, token.reveal_bytes(), "sha256").hex() for key in keys]


@lru_cache(maxsize=4)
def _digest_keys(secret_keys: tuple[str, ...]) -> list[Key]:
    return KeyRing(secret_keys).keys(_DIGEST_LABEL)


# -- Beginning


@dataclass(frozen=True, slots=True)
class Attempt:
    """A renewal that this process has begun, and its history.

    `tries` is 1 for a token that is sent for the first time. More mean that an earlier try has no
    known outcome; 0 means that the renewal did not begin. `answered` is the journal's row if that
    holds an answer to the last try.
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
    """Prolong a lease and record that its token is about to be sent; None if the lease was lost.

    `digests` are those of `digest_token`. If the journal holds an answer to an earlier try it stays
    as it is: the caller sends nothing. Call this in a transaction.
    """
    held = extend(lease, lease_until)
    if held is None:
        return None
    if TAB_ATTEMPTS.record(held.connection_id, held.version, digests[0], now):
        return Attempt(held, now)
    earlier: TAB_ATTEMPTS = TAB_ATTEMPTS.get_by_id(held.connection_id)
    is_current = earlier.version == held.version
    if is_current and earlier.answer is not None:
        return Attempt(held, earlier.started_at, earlier.tries, earlier)
    tries = earlier.tries + 1 if is_current and earlier.token_digest in digests else 1
    earlier.record_retry(held.version, digests[0], tries, now)
    return Attempt(held, now, tries)


def begin_retry(
    lease: Lease, answered: TAB_ATTEMPTS, digests: Sequence[str], now: datetime
) -> Attempt:
    """Record that a token is sent again, as its answer cannot be read or has not arrived."""
    tries = answered.tries + 1
    answered.record_retry(lease.version, digests[0], tries, now)
    return Attempt(lease, now, tries)


def claim_unstarted(
    connection_id: str, version: int, now: datetime, lease_until: datetime
) -> Lease | None:
    """Lease one connection, due or not, unless its renewal has begun or its version has changed.

    A lease whose message still waits in a queue is replaced; the message then finds it lost.
    """
    row = TAB_CONNECTIONS.find(connection_id)
    if row is None or row.version != version:
        return None
    until, found = lease_until, row.lease_until
    if found is not None and found > now:
        attempt = TAB_ATTEMPTS.find(connection_id)
        if attempt is not None and attempt.version == version:
            return None
        # The end is the fence between two leases.
        until = max(until, found + timedelta(milliseconds=1))
    # A renewal that began since the row was read has prolonged its lease, which is left alone.
    table = TAB_CONNECTIONS
    is_as_found = table.lease_until.is_null() if found is None else table.lease_until == found
    is_ours = (table.id == connection_id) & (table.version == version) & is_as_found
    changed = table.update(lease_until=until).where(is_ours).execute()
    return Lease(connection_id, version, until) if changed else None
