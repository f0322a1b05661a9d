"""Circuit breaker and GCRA: a provider's health and its rate, shared by all processes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import peewee

from models.db.database import Table
from models.db.fields import UTCDateTimeField
from models.db.statements import find_by_key

#: One of the threads that compete for a request succeeds in each attempt of all.
_MAX_ATTEMPTS: Final = 64
#: The `kind` of a pause by hand, which lasts until it is resumed by hand.
PAUSED_BY_OPERATOR: Final = "paused_by_operator"
#: Its end: an earlier release, which knows no such pause, does not probe either.
_NEVER: Final = datetime(9999, 12, 31, tzinfo=UTC)


class HealthState(StrEnum):
    """The states of a circuit breaker, by their usual names."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class TAB_PROVIDER_HEALTH(Table):
    """One provider's circuit breaker, from its first failure on, and the state of its rate.

    `epoch` counts the changes of state; every write names the one that it began from, so that a
    late write changes nothing. `failures` counts the failures since the last success, each by
    another connection than the one before, which is `failing_connection`. `paused_until` is the end
    of the pause or, half open, of the probe's time.
    """

    provider = peewee.CharField(max_length=64, primary_key=True)
    state = peewee.CharField(max_length=16)
    epoch = peewee.IntegerField()
    failures = peewee.IntegerField()
    failing_connection = peewee.CharField(max_length=36, null=True)
    pauses = peewee.IntegerField()
    since = UTCDateTimeField(null=True)
    paused_until = UTCDateTimeField(null=True)
    kind = peewee.CharField(max_length=32, null=True)
    reason = peewee.TextField(null=True)
    next_request_at = UTCDateTimeField(null=True)

    class Meta:
        """Names the table."""

        table_name = "provider_health"

    @classmethod
    def find(cls, provider: str) -> TAB_PROVIDER_HEALTH:
        """Return a provider's health; without a row it is in good health."""
        row = find_by_key(cls, provider)
        return row or cls(**_build_healthy_row(provider))

    @classmethod
    def load_all(cls) -> dict[str, TAB_PROVIDER_HEALTH]:
        """Return the health of each provider that has ever failed or has a rate."""
        return {row.provider: row for row in cls.select()}

    @classmethod
    def ensure(cls, provider: str) -> None:
        """Insert a provider's row, unless it has one."""
        cls.insert(**_build_healthy_row(provider)).on_conflict_ignore().execute()

    @property
    def is_healthy(self) -> bool:
        """Tell whether nothing has failed since the last success."""
        is_clean = self.failures == 0 and self.failing_connection is None
        return is_clean and self.state == HealthState.CLOSED

    def is_paused(self, now: datetime) -> bool:
        """Tell whether no process may ask the provider now, not even to probe it."""
        return self.paused_until is not None and self.paused_until > now

    @property
    def is_held(self) -> bool:
        """Tell whether the pause is one by hand."""
        return self.kind == PAUSED_BY_OPERATOR and self.state != HealthState.CLOSED

    @classmethod
    def hold(cls, provider: str, reason: str, now: datetime) -> bool:
        """Open the breaker by hand, whatever its state; False if that was done already."""
        is_not_held = cls.kind.is_null() | (cls.kind != PAUSED_BY_OPERATOR)
        held = cls.update(
            epoch=cls.epoch + 1,
            state=HealthState.OPEN,
            since=now,
            paused_until=_NEVER,
            kind=PAUSED_BY_OPERATOR,
            reason=reason,
        )
        return bool(held.where(cls.provider == provider, is_not_held).execute())

    def count_failure(self, connection_id: str) -> int:
        """Count a connection's failure, and return the count since the last success.

        A connection that fails repeatedly, and alone, counts once.
        """
        table = type(self)
        is_other = table.failing_connection.is_null() | (table.failing_connection != connection_id)
        table.update(failures=table.failures + 1, failing_connection=connection_id).where(
            self._is_unchanged(), is_other | (table.failures == 0)
        ).execute()
        return int(table.find(self.provider).failures)

    def reset_failures(self, connection_id: str) -> None:
        """Record that a connection was renewed: the failures before were not the provider's."""
        self._update(failures=0, failing_connection=self._build_failing_without(connection_id))

    def _build_failing_without(self, connection_id: str) -> str | None:
        is_own = self.failing_connection == connection_id
        return None if is_own else self.failing_connection

    def pause(
        self, connection_id: str, *, until: datetime, kind: str, reason: str, now: datetime
    ) -> bool:
        """Open the breaker, or reopen it after a probe; False if another process was faster."""
        return self._change(
            state=HealthState.OPEN,
            failing_connection=connection_id,
            pauses=self.pauses + 1,
            since=self.since or now,
            paused_until=until,
            kind=kind,
            reason=reason,
        )

    def begin_probe(self, until: datetime) -> bool:
        """Half-open the breaker for this process alone; False if another process probes."""
        return self._change(state=HealthState.HALF_OPEN, paused_until=until)

    def abandon_probe(self, now: datetime) -> bool:
        """Leave the probe to another process: this one learnt nothing about the provider."""
        return self._change(state=HealthState.OPEN, paused_until=now)

    def hasten_probe(self, now: datetime) -> bool:
        """Let the next renewal probe an open breaker; False if another process was faster."""
        return self.state == HealthState.OPEN and self._change(paused_until=now)

    def resume(self, connection_id: str = "") -> bool:
        """Close the breaker; False if that was done already."""
        return self._change(
            state=HealthState.CLOSED,
            failures=0,
            failing_connection=self._build_failing_without(connection_id),
            pauses=0,
            since=None,
            paused_until=None,
            kind=None,
            reason=None,
        )

    def reserve_request(self, now: datetime, interval: timedelta, burst: int) -> datetime | None:
        """Reserve a request: `burst` of them at once, and one more each `interval`.

        This is the generic cell rate algorithm (GCRA) over all processes together. Its one time a
        provider, `next_request_at`, is the theoretical arrival time.

        Returns:
            None if the request may go out now; otherwise the time to ask again.
        """
        table, tolerance = type(self), interval * (burst - 1)
        for _ in range(_MAX_ATTEMPTS):
            known = table.find(self.provider).next_request_at
            planned = max(known or now, now)
            if planned - tolerance > now:
                return planned - tolerance
            is_same = (
                table.next_request_at.is_null() if known is None else table.next_request_at == known
            )
            taken = table.update(next_request_at=planned + interval)
            if taken.where(table.provider == self.provider, is_same).execute():
                return None
        return now + interval

    def count_free_requests(self, now: datetime, interval: timedelta, burst: int) -> int:
        """Return how many requests may go out now."""
        planned = max(self.next_request_at or now, now)
        return max((now + interval * (burst - 1) - planned) // interval + 1, 0)

    @classmethod
    def erase(cls, provider: str) -> None:
        """Delete a provider's row."""
        cls.delete().where(cls.provider == provider).execute()

    def _change(self, **columns: Any) -> bool:
        return self._update(epoch=self.epoch + 1, **columns)

    def _update(self, **columns: Any) -> bool:
        return bool(type(self).update(**columns).where(self._is_unchanged()).execute())

    def _is_unchanged(self) -> peewee.Expression:
        table = type(self)
        return (table.provider == self.provider) & (table.epoch == self.epoch)


def _build_healthy_row(provider: str) -> dict[str, Any]:
    return {
        "provider": provider,
        "state": HealthState.CLOSED,
        "epoch": 0,
        "failures": 0,
        "pauses": 0,
    }
