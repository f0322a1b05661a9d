"""Tells whether a connection came through well, and if not, whether the journal says why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from actors.audit import EventKind
from models.connections import ConnectionStatus
from tests.chaos.clock import shown
from tests.chaos.connections import Compared
from tests.chaos.killer import Kill
from tests.chaos.provider import Showing

#: Why a connection is given up whose token the provider took before its answer was lost.
UNKNOWN_OUTCOME: Final = "outcome_unknown"
#: How long a process may take to send a request, and to write down what was answered.
_SLACK_SECONDS: Final = 0.5


def retries(connection: Compared) -> int:
    """Return how often the journal says that a token was sent whose first answer nobody has."""
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
    if not account.is_alive or connection.refresh_token != account.refresh_tokens[-1]:
        yield "what is stored is not the provider's latest token"
    granted = len(_granted(connection))
    if granted != connection.version - 1:
        yield f"{granted} renewals were granted, {connection.version - 1} are stored"


def _faults_of_dead(connection: Compared, kills: Sequence[Kill]) -> Iterator[str]:
    granted = _granted(connection)
    if (EventKind.REAUTHORIZATION_REQUIRED, UNKNOWN_OUTCOME) not in connection.journal:
        yield f"it was given up, and the journal says: {connection.journal}"
    elif not (granted and _was_cut_off(granted[-1], kills)):
        last = f"{shown(granted[-1].began_at)} to {shown(granted[-1].ended_at)}" if granted else "-"
        yield f"it was given up, and nobody was killed in its last renewal, {last}"


def _granted(connection: Compared) -> list[Showing]:
    return [showing for showing in connection.account.showings if showing.is_granted]


def _was_cut_off(showing: Showing, kills: Sequence[Kill]) -> bool:
    """Tell whether a process was killed while somebody waited for this answer."""
    began_at, ended_at = showing.began_at - _SLACK_SECONDS, showing.ended_at + _SLACK_SECONDS
    return any(kill.at <= ended_at and began_at <= kill.at + kill.away_seconds for kill in kills)
