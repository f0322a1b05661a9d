"""Routes of the dead letters: listed, filtered, replayed and discarded, one or all that match."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, NamedTuple

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from actors.queue.dead_letters import LetterFilter
from catfeeder.messages import CATALOGUE
from worker.http.console.access import ConsoleRoute
from worker.http.console.filters import Filters, OptionalText
from worker.http.console.notices import go_to
from worker.http.console.rendering import read_visit, render_console
from worker.http.console.work.words import REASON_MEANINGS
from worker.http.routes.work.queues import (
    discard_some,
    list_dead_letters,
    open_letters,
    replay_some,
)
from worker.http.schemas.work.queues import DeadLetterQuery
from worker.http.shim import Shim, ShimDependency
from worker.queue.report import QueueName

router = APIRouter(
    prefix="/console/queues/{queue}/dead-letters", route_class=ConsoleRoute, include_in_schema=False
)
_PAGE_SIZE: Final = 50


class LetterFilters(Filters):
    """What the form of the list asks for."""

    reason: OptionalText = None
    actor: OptionalText = None

    def to_letter_filter(self) -> LetterFilter:
        """Return what the dead letters are filtered by."""
        return LetterFilter(self.reason, self.actor)


class Action(StrEnum):
    """What becomes of dead letters."""

    REPLAY = "replay"
    DISCARD = "discard"


class _ActionWords(NamedTuple):
    verb: str
    meaning: str


_WORDS: Final = {
    Action.REPLAY: _ActionWords(
        "Replay", "Each is sent anew under the id of its job, as if it had just been asked for."
    ),
    Action.DISCARD: _ActionWords(
        "Discard", "They are deleted for good. Their jobs have failed, and stay so."
    ),
}


@router.get("")
async def show_dead_letters(
    request: Request,
    queue: QueueName,
    filters: Annotated[LetterFilters, Query()],
    shim: ShimDependency,
) -> Response:
    """Show a page of the dead letters that match, the latest first."""
    query = DeadLetterQuery(
        reason=filters.reason, actor=filters.actor, cursor=filters.cursor, limit=_PAGE_SIZE
    )
    page = await list_dead_letters(shim, queue, query)
    reasons = await run_in_threadpool(open_letters(shim).counts, queue.value)
    return render_console(
        request,
        "work/dead_letters.html",
        queue=queue.value,
        queues=list(QueueName),
        filters=filters,
        kept=filters.to_query(),
        reasons=sorted(reasons),
        actors=[name for name, kind in CATALOGUE.items() if kind.queue == queue.value],
        meanings=REASON_MEANINGS,
        page=page,
    )


@router.get("/all/{action}")
async def ask_about_all(
    request: Request,
    queue: QueueName,
    action: Action,
    filters: Annotated[LetterFilters, Query()],
    shim: ShimDependency,
) -> Response:
    """Show how many match, and ask whether they are meant."""
    return await _ask(request, shim, queue, action, filters)


@router.post("/all/{action}")
async def change_all(
    request: Request,
    queue: QueueName,
    action: Action,
    filters: Annotated[LetterFilters, Query()],
    shim: ShimDependency,
) -> Response:
    """Replay or discard all that match, if they are as many as was said; else ask again."""
    ids = await run_in_threadpool(open_letters(shim).ids, queue.value, filters.to_letter_filter())
    if read_visit(request).form.get("count") != str(len(ids)):
        return await _ask(request, shim, queue, action, filters, has_changed=True)
    return await _change(request, shim, queue, action, ids)


@router.post("/{letter_id}/{action}")
async def change_one(
    request: Request, queue: QueueName, letter_id: str, action: Action, shim: ShimDependency
) -> Response:
    """Replay or discard one dead letter."""
    return await _change(request, shim, queue, action, [letter_id])


async def _ask(
    request: Request,
    shim: Shim,
    queue: QueueName,
    action: Action,
    filters: LetterFilters,
    *,
    has_changed: bool = False,
) -> Response:
    ids = await run_in_threadpool(open_letters(shim).ids, queue.value, filters.to_letter_filter())
    if not ids:
        return RedirectResponse(f"/console/queues/{queue.value}/dead-letters", 303)
    return render_console(
        request,
        "work/confirm.html",
        status=409 if has_changed else 200,
        queue=queue.value,
        words=_WORDS[action],
        action=action.value,
        count=len(ids),
        filters=filters,
        kept=filters.to_query(),
        has_changed=has_changed,
    )


async def _change(
    request: Request, shim: Shim, queue: QueueName, action: Action, ids: list[str]
) -> Response:
    if action is Action.REPLAY:
        replayed = await run_in_threadpool(replay_some, shim, queue.value, ids)
        notice = "letters-left" if replayed["left"] else "letters-replayed"
    else:
        discarded = await run_in_threadpool(discard_some, shim, queue.value, ids)
        notice = "letters-left" if discarded["unknown"] else "letters-discarded"
    return go_to(request, f"/console/queues/{queue.value}/dead-letters", notice)
