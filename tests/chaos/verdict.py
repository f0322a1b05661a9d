"""Verdict of a run: whether a connection kept its grant, or the journal has the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from actors.events.kinds import EventKind
from models.oauth.connections import ConnectionStatus
from tests.chaos.connections import Compared
from tests.chaos.kills import Kill
from tests.chaos.provider import Showing

#: Why a connection is given up whose token the provider took before its answer was lost.
UNKNOWN_OUTCOME: Final = "outcome_unknown"
#: How long a process may take to write down what was answered: as long as the database is away, and
#: on a machine with much to do.
_WRITING_SECONDS: Final = 5.0
#: How much later the provider may read a request that was sent before its sender was killed.
_READING_SECONDS: Final = 2.0


def retries(connection: Compared) -> int:
    """Return how often the journal says that a token was sent again for a lost answer."""
    return sum(kind == EventKind.RENEWAL_RETRIED for kind, _ in connection.journal)


def faults(connection: Compared, kills: Sequence[Kill]) -> Iterator[str]:
    """Yield what went wrong with a connection, in sentences."""
    reuses = sum(showing.is_reuse for showing in connection.account.showings)
    if reuses > retries(connection):
        yield f"spent tokens were shown {reuses} times, and the journal says: {connection.journal}"
    match connection.status:
        case ConnectionStatus.ACTIVE:
            yield from _faults_of_active(connection)
        case ConnectionStatus.REAUTHORIZATION_REQUIRED:
            yield from _faults_of_dead(connection, kills)
        case status:
            yield f"it never settled, and is {status}"


def _faults_of_active(connection: Compared) -> Iterator[str]:
    account = connection.account
    latest = (account.access_tokens[-1], account.refresh_tokens[-1])
    if not account.is_alive or (connection.access_token, connection.refresh_token) != latest:
        yield "what is stored is not the provider's latest"
    granted = len(_granted(connection))
    if granted != connection.version - 1:
        yield f"{granted} renewals were granted, {connection.version - 1} are stored"


def _faults_of_dead(connection: Compared, kills: Sequence[Kill]) -> Iterator[str]:
    if (EventKind.REAUTHORIZATION_REQUIRED, UNKNOWN_OUTCOME) not in connection.journal:
        yield f"it was given up, and the journal says: {connection.journal}"
    elif cut_off(connection, kills) is None:
        last = _granted(connection)[-1:]
        yield f"it was given up, and no process was killed in its last renewal: {last}"


def cut_off(connection: Compared, kills: Sequence[Kill]) -> tuple[Showing, Kill] | None:
    """Return the renewal whose answer was lost, and the kill of the process that waited for it."""
    for showing in _granted(connection)[-1:]:
        latest = showing.ended_at + _WRITING_SECONDS
        for kill in kills:
            if (
                showing.port in kill.ports
                and showing.began_at - _READING_SECONDS <= kill.at <= latest
            ):
                return showing, kill
    return None


def _granted(connection: Compared) -> list[Showing]:
    return [showing for showing in connection.account.showings if showing.is_granted]
