"""Slice of a change to all connections that match: what is done to each, and what comes of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from actors.connect.sessions import ConnectWishes, create_connect_session
from actors.connections.many import is_renewed_by_plan, make_due
from actors.errors import AuthError
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError
from catfeeder.messages import RENEW_CONNECTION, REVOKE_CONNECTION
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from worker.http.asgi.threads import run_with_database
from worker.http.console.connections.jobs import perform_for
from worker.http.shim import Shim

_PLANNED: Final = (ConnectionStatus.ACTIVE, ConnectionStatus.RENEWAL_FAILING)
#: A slice of those that a sweep renews takes two statements; any other a job for each connection.
_PLANNED_SLICE: Final = 500
_SLICE: Final = 50


class Action(StrEnum):
    """What is done to all that match."""

    RENEW = "renew"
    RECONNECT_LINK = "reconnect-link"
    DISCONNECT = "disconnect"


@dataclass
class Outcome:
    """What came of a slice, by `done`, `begun`, `failed` and `passed`.

    `links` are those that were made, beside their users; `halted` are the connections of which
    nothing could be asked just now, because of `halted_by`.
    """

    counts: Counter[str] = field(default_factory=Counter)
    links: list[tuple[str, str]] = field(default_factory=list)
    halted: list[str] = field(default_factory=list)
    halted_by: str | None = None


def choose_limit(action: Action, status: str | None) -> int:
    """Return how many connections one request changes."""
    return _PLANNED_SLICE if action is Action.RENEW and status in _PLANNED else _SLICE


async def change_slice(shim: Shim, action: Action, rows: Sequence[TAB_CONNECTIONS]) -> Outcome:
    """Change some connections, and return what came of it."""
    if action is Action.RENEW:
        return await _renew(shim, rows)
    if action is Action.RECONNECT_LINK:
        return await run_with_database(_make_links, rows)
    return await _gather(
        (row.id, perform_for(shim, row.app, REVOKE_CONNECTION, {"connection_id": row.id}))
        for row in rows
    )


async def _renew(shim: Shim, rows: Sequence[TAB_CONNECTIONS]) -> Outcome:
    """Have the sweep renew what it can; of what it passes over, ask the provider for each."""
    planned = [row for row in rows if is_renewed_by_plan(row)]
    others = [row for row in rows if not is_renewed_by_plan(row) and row.refresh_token is not None]
    await run_with_database(make_due, planned, utc_now())
    outcome = await _gather((row.id, _ask_for_renewal(shim, row)) for row in others)
    outcome.counts["done"] += len(planned)
    outcome.counts["passed"] += len(rows) - len(planned) - len(others)
    return outcome


def _ask_for_renewal(shim: Shim, row: TAB_CONNECTIONS) -> Awaitable[str]:
    arguments = {"connection_id": row.id, "version": row.version}
    return perform_for(shim, row.app, RENEW_CONNECTION, arguments)


async def _gather(jobs: Iterable[tuple[str, Awaitable[str]]]) -> Outcome:
    """Await the job of each connection, and return what came of them."""
    outcome, asked = Outcome(), list(jobs)
    ends = await asyncio.gather(*(job for _, job in asked), return_exceptions=True)
    for (connection_id, _), ended in zip(asked, ends, strict=True):
        if isinstance(ended, CatFeederError):
            outcome.halted.append(connection_id)
            outcome.halted_by = ended.public_detail
        elif isinstance(ended, BaseException):
            raise ended
        else:
            outcome.counts[ended] += 1
    return outcome


def _make_links(rows: Sequence[TAB_CONNECTIONS]) -> Outcome:
    outcome = Outcome()
    for row in rows:
        try:
            link = create_connect_session(ConnectWishes(connection_id=row.id), utc_now())
        except AuthError:
            # Its provider has no way for a user, or is gone.
            outcome.counts["passed"] += 1
            continue
        outcome.counts["done"] += 1
        outcome.links.append((row.profile.get("email") or row.subject or row.id, link.url))
    return outcome
