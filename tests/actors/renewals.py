"""Steps that tests of renewal share: connect, fall due, renew, hold a renewal at its provider."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, ParamSpec, TypeVar

from actors.renewal.kept_answers import recover
from actors.renewal.leased import renew_leased
from actors.renewal.sweep import sweep
from catfeeder.errors import CatFeederError
from catfeeder.sealing import Secret
from models.db.database import hold_connection, transaction
from models.oauth.connections import TAB_CONNECTIONS
from models.renewal.journal import begin_renewal, digest_token
from models.renewal.leases import Lease, claim
from tests.actors.sign_ins import now, reread, sign_in
from tests.provider.gates import Gate
from tests.scripted_provider import ScriptedProvider

HOUR = timedelta(hours=1)
LEASE = timedelta(seconds=60)
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class HeldRenewal(Generic[T]):
    """A renewal in a thread of its own, whose request waits at the provider's gate."""

    gate: Gate
    running: Future[T]

    def finish(self) -> T:
        """Let the provider answer, and return what the renewal returns or raise its error."""
        self.gate.open()
        return self.running.result(60)


@contextlib.contextmanager
def held_renewal(
    provider: ScriptedProvider, renew: Callable[P, T], *args: P.args, **options: P.kwargs
) -> Iterator[HeldRenewal[T]]:
    """Begin a renewal and hold its request at the provider; the block may `finish` it."""
    gate = provider.hold("/token", times=1)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(renew, *args, **options)
        try:
            gate.await_arrival()
            yield HeldRenewal(gate, running)
        finally:
            gate.open()


def connect(provider: ScriptedProvider, count: int = 1, **options: Any) -> list[TAB_CONNECTIONS]:
    """Sign in that many users, each with an account of their own."""
    rows = []
    for number in range(1, count + 1):
        provider.script.user = {**provider.script.user, "id": str(number)}
        rows.append(sign_in(provider, **options).connection)
    return rows


def renew_all(at: datetime) -> list[type[Exception] | None]:
    """Sweep at a time and renew what is due then; return the error of each renewal, or None."""
    outcomes: list[type[Exception] | None] = []

    def renew(leases: list[Lease]) -> None:
        outcomes.extend(renew_one(lease, at) for lease in leases)

    sweep(at, renew)
    return outcomes


def renew_one(lease: Lease, at: datetime) -> type[Exception] | None:
    """Renew one connection; return the error, or None."""
    try:
        renew_leased(lease, at)
    except CatFeederError as error:
        return type(error)
    return None


def recover_at(at: datetime) -> int:
    """Finish what was interrupted, as a process does that starts at that time."""

    def renew(leases: list[Lease]) -> None:
        for lease in leases:
            renew_one(lease, at)

    return recover(at, at + LEASE, renew)


def begin_and_abandon(row: TAB_CONNECTIONS, lasting: timedelta = LEASE) -> Lease:
    """Begin a renewal as another process does that is killed, or is slow, before it sends."""
    at = now()
    digests = digest_token(Secret(refresh_token_of(row)))
    with transaction():
        lease = claim(row.id, at, at + lasting)
        assert lease is not None
        attempt = begin_renewal(lease, at + lasting, digests, at)
    assert attempt is not None
    return attempt.lease


def change(row: TAB_CONNECTIONS, **values: Any) -> None:
    """Write columns of a connection, as time or another process would."""
    with hold_connection():
        changes = TAB_CONNECTIONS.get_by_id(row.id).sign_changes(**values)
        TAB_CONNECTIONS.update(changes).where(TAB_CONNECTIONS.id == row.id).execute()


def lease_one(row: TAB_CONNECTIONS, at: datetime, lasting: timedelta = LEASE) -> Lease:
    """Lease a connection at a time."""
    with hold_connection():
        lease = claim(row.id, at, at + lasting)
    assert lease is not None
    return lease


def tokens_of(row: TAB_CONNECTIONS) -> tuple[Secret | None, Secret | None]:
    """Return the access and refresh token that are stored now."""
    stored = reread(row)
    with hold_connection():
        return TAB_CONNECTIONS.access_token.open(stored), TAB_CONNECTIONS.refresh_token.open(stored)


def refresh_token_of(row: TAB_CONNECTIONS) -> str:
    """Return the refresh token that is stored now."""
    token = tokens_of(row)[1]
    assert token is not None
    return token.reveal()


def latest_refresh_token(provider: ScriptedProvider) -> str:
    """Return the refresh token that the provider issued last."""
    return provider.grants._grants[-1].refresh_tokens[-1]


def refreshes(provider: ScriptedProvider) -> list[str]:
    """Return the refresh tokens that the provider was shown."""
    forms = [request.form for request in provider.requests_for("/token")]
    return [form["refresh_token"] for form in forms if form["grant_type"] == "refresh_token"]


def lease_connections(rows: list[TAB_CONNECTIONS]) -> list[tuple[str, int, str]]:
    """Lease connections now, and return what the message with their leases holds."""
    leases = [lease_one(row, now(), HOUR) for row in rows]
    return [(held.connection_id, held.version, held.until.isoformat()) for held in leases]
