"""Routes of queues: their state, their dead letters, and what becomes of those."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from actors.queue.dead_letters import DeadLetters, LetterFilter
from catfeeder.clock import utc_now
from catfeeder.queue.requester import visible_app
from worker.http.asgi.threads import run_with_database
from worker.http.auth.api_keys import Scope, require_scope
from worker.http.auth.guarded_route import GuardedRoute
from worker.http.routes.described_router import DescribedRouter
from worker.http.schemas.shapes import build_model
from worker.http.schemas.work.queues import DeadLetterQuery, Discarded, Letters, Replayed
from worker.http.shim import Shim, ShimDependency
from worker.queue import pauses
from worker.queue.changes import discard_letters, replay_letters
from worker.queue.report import (
    DeadLetterPage,
    Queue,
    QueueList,
    QueueName,
    describe_dead_letters,
    describe_queues,
)

router = DescribedRouter(
    prefix="/v1/queues",
    tags=["queues"],
    route_class=GuardedRoute,
    dependencies=require_scope(Scope.ADMIN),
)


@router.get("", response_model=build_model(QueueList))
async def read_queues(shim: ShimDependency) -> JSONResponse:
    """Return the state of each queue."""
    items = await run_in_threadpool(describe_queues, shim.client.broker, utc_now())
    return JSONResponse({"items": items})


@router.post("/{queue}/pause", response_model=build_model(Queue))
async def pause_queue(queue: QueueName, shim: ShimDependency) -> JSONResponse:
    """Keep workers from fetching from a queue until it is resumed; what is in hand goes on.

    What is asked meanwhile waits as long as a job may, and is refused as on any long queue.
    """
    await run_with_database(pauses.pause_queue, shim.client.redis, queue.value, utc_now())
    return await _answer_state(shim, queue)


@router.post("/{queue}/resume", response_model=build_model(Queue))
async def resume_queue(queue: QueueName, shim: ShimDependency) -> JSONResponse:
    """Let workers fetch from a queue again, at once."""
    await run_with_database(pauses.resume_queue, shim.client.redis, queue.value, utc_now())
    return await _answer_state(shim, queue)


async def _answer_state(shim: Shim, queue: QueueName) -> JSONResponse:
    items = await run_in_threadpool(describe_queues, shim.client.broker, utc_now())
    return JSONResponse(next(item for item in items if item["queue"] == queue.value))


@router.get("/{queue}/dead-letters", response_model=build_model(DeadLetterPage))
async def read_dead_letters(
    queue: QueueName, query: Annotated[DeadLetterQuery, Query()], shim: ShimDependency
) -> JSONResponse:
    """Return a page of the messages that failed or were set aside, the latest first.

    With the header `Catfeeder-App` it has those of that app alone.
    """
    return JSONResponse(await list_dead_letters(shim, queue, query))


async def list_dead_letters(shim: Shim, queue: QueueName, query: DeadLetterQuery) -> DeadLetterPage:
    """Return a page of the dead letters that a caller sees."""
    wanted = LetterFilter(query.reason, query.actor, query.job_id)
    letters = open_letters(shim)
    found, cursor = await run_in_threadpool(
        letters.page, queue.value, query.cursor, query.limit, wanted
    )
    items = await run_in_threadpool(describe_dead_letters, found)
    return {"items": items, "next_cursor": cursor}


@router.post("/{queue}/replay", response_model=build_model(Replayed))
async def replay_dead_letters(
    queue: QueueName, wanted: Letters, shim: ShimDependency
) -> JSONResponse:
    """Send dead letters anew, each as if it had just been asked for, under its job's id.

    With the header `Catfeeder-App` those of that app alone; any other is left.
    """
    return JSONResponse(await run_in_threadpool(replay_some, shim, queue.value, wanted.ids))


def replay_some(shim: Shim, queue: str, ids: list[str] | None) -> Replayed:
    """Send some dead letters anew, or all.

    Raises:
        ServerStopping: The service is stopping.
        QueueUnreachable: Redis did not answer; what was not sent is still there.
    """
    shim.draining.refuse_work()
    letters = open_letters(shim)
    wanted = letters.ids(queue) if ids is None else ids
    sent, left = replay_letters(letters, queue, wanted, utc_now())
    return {"replayed": sent, "left": left}


@router.post("/{queue}/discard", response_model=build_model(Discarded))
async def discard_dead_letters(
    queue: QueueName, wanted: Letters, shim: ShimDependency
) -> JSONResponse:
    """Delete dead letters for good; their jobs have failed and stay so.

    With the header `Catfeeder-App` those of that app alone; any other is unknown.
    """
    return JSONResponse(await run_in_threadpool(discard_some, shim, queue.value, wanted.ids))


def discard_some(shim: Shim, queue: str, ids: list[str] | None) -> Discarded:
    """Delete some dead letters for good, or all.

    Raises:
        QueueUnreachable: Redis did not answer.
    """
    letters = open_letters(shim)
    wanted = letters.ids(queue) if ids is None else ids
    deleted, unknown = discard_letters(letters, queue, wanted, utc_now())
    return {"discarded": deleted, "unknown": unknown}


def open_letters(shim: Shim) -> DeadLetters:
    """Return the dead letters that a caller sees."""
    return DeadLetters(shim.client.broker, app=visible_app())
