"""One run: everything is killed at random for a while, and then what came of it is judged."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from models.oauth.connections import ConnectionStatus
from tests.chaos.clients import Clients
from tests.chaos.clock import shown
from tests.chaos.connections import Compared, compare, connect, unsettled, versions
from tests.chaos.killer import Killer
from tests.chaos.kills import Kill
from tests.chaos.stack import ChaosStack, running_stack
from tests.chaos.verdict import cut_off, faults, retries

_LATENCY_SECONDS: Final = 0.04
_SETTLING_SECONDS: Final = 90
_LOOK_SECONDS: Final = 0.5
#: A log line, the traceback below it, and what follows up to the next log line.
_TRACEBACKS: Final = re.compile(
    r"(?m)(?:^.*\n)?^Traceback \(most recent(?:.*\n)(?:(?!\[|INFO).*\n)*"
)

Print = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is run, and how hard."""

    seed: int
    seconds: float
    connections: int
    token_seconds: int
    apps: int
    #: In seconds, the longest pause between two kills, and before a restart.
    pause: float
    away: float
    #: How many processes perform renewals.
    oauth: int
    #: Whether the database is a file, which cannot be killed.
    sqlite: bool = False
    #: Where to copy what the processes have said, if anywhere.
    logs: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What was counted, which connections a kill in an exchange has cost, and what was wrong."""

    figures: dict[str, str]
    losses: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def run(plan: Plan, print_line: Print) -> Outcome:
    """Carry out a plan, print its progress, and return the outcome."""
    with running_stack(plan.seed, plan.oauth, _LATENCY_SECONDS, on_sqlite=plan.sqlite) as stack:
        ids = connect(stack.provider, plan.connections, plan.token_seconds)
        stack.renew(ids[0])
        clients = Clients(stack.app, ids, plan.seed, plan.apps)
        try:
            killer = Killer(stack, plan.seed, plan.pause, plan.away, print_line)
            killer.run(plan.seconds)
        finally:
            clients.stop()
        print_line("No more kills; waiting until each connection was renewed once more.")
        _settle(killer, ids)
        _stop(stack)
        if plan.logs is not None:
            stack.copy_logs(plan.logs)
        compared = compare(ids, stack.provider)
        return Outcome(
            figures=_figures(killer, clients, compared),
            losses=list(_losses(compared, killer.kills)),
            faults=[
                *_faults(compared, killer.kills),
                *(f"an app was answered: {surprise}" for surprise in clients.surprises),
                *_foreign_tokens(clients, compared),
                *_tracebacks(stack),
            ],
        )


def _settle(killer: Killer, ids: list[str]) -> None:
    """Wait until every connection was renewed anew, or it is said that it cannot be."""
    since = versions(ids)
    deadline = time.monotonic() + _SETTLING_SECONDS
    while unsettled(ids, since) and time.monotonic() < deadline:
        killer.tend(time.time())
        time.sleep(_LOOK_SECONDS)


def _stop(stack: ChaosStack) -> None:
    """Stop all processes as an operator does, so that no renewal is in flight any more."""
    for kind in ("scheduler", "control", "oauth", "web"):
        processes = [each for each in stack.processes if each.name.startswith(kind)]
        for process in processes:
            process.terminate()
        for process in processes:
            process.stop()


def _figures(killer: Killer, clients: Clients, compared: list[Compared]) -> dict[str, str]:
    showings = [showing for each in compared for showing in each.account.showings]
    answers = {f"{what} {status}": count for (what, status), count in clients.answers.items()}
    return {
        "killed": _listed(Counter(kill.name.partition(".")[0] for kill in killer.kills)),
        "ended by themselves": _listed(killer.own_ends),
        "answers to apps": _listed(answers),
        "renewals that the provider granted": str(sum(each.is_granted for each in showings)),
        "spent tokens that it was shown": str(sum(each.is_reuse for each in showings)),
        "sent again, as the journal says": str(sum(map(retries, compared))),
        "connections": _listed(Counter(each.status for each in compared)),
    }


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"


def _faults(compared: list[Compared], kills: list[Kill]) -> Iterator[str]:
    for connection in compared:
        for fault in faults(connection, kills):
            yield f"connection {connection.id}: {fault}"


def _losses(compared: list[Compared], kills: list[Kill]) -> Iterator[str]:
    """Name the connections that were given up, one by one, with what each was lost by."""
    for connection in compared:
        dead = connection.status == ConnectionStatus.REAUTHORIZATION_REQUIRED
        if dead and (found := cut_off(connection, kills)):
            showing, kill = found
            yield (
                f"connection {connection.id}: renewed from {shown(showing.began_at)} to "
                f"{shown(showing.ended_at)}; {kill.name} was killed at {shown(kill.at)}"
            )


def _foreign_tokens(clients: Clients, compared: list[Compared]) -> Iterator[str]:
    issued = {each.id: set(each.account.access_tokens) for each in compared}
    for connection_id, token in clients.served:
        if token not in issued[connection_id]:
            yield f"connection {connection_id}: an app was given another one's token"


def _tracebacks(stack: ChaosStack) -> Iterator[str]:
    for process in stack.processes:
        for text in re.findall(_TRACEBACKS, process.output):
            yield f"{process.name} has shown a traceback: {text}"
