"""`queues`: what waits, pauses, and what becomes of dead letters."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from worker.cli.terminal.commands import noun, verb
from worker.cli.terminal.options import App, Cursor, Json, Limit

queues = noun("What waits on each queue; pauses; messages that failed.")

_Queue: TypeAlias = Annotated[
    str, typer.Argument(metavar="QUEUE", help="passwords, oauth, renewals or control.")
]
_Ids: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--id", metavar="ID", help="Which, several times; all of them if left out."),
]


@verb(queues, "list")
def list_queues(as_json: Json = False) -> int:
    """List the queues: what waits, workers, throughput, pauses and dead letters."""
    from worker.cli.work.queues import print_queues

    return print_queues(as_json=as_json)


@verb(queues, "pause")
def pause(queue: _Queue, as_json: Json = False) -> int:
    """Keep all workers from fetching from a queue until it is resumed; jobs in hand go on."""
    from worker.cli.work.queues import pause_queue

    return pause_queue(queue, as_json=as_json)


@verb(queues, "resume")
def resume(queue: _Queue, as_json: Json = False) -> int:
    """Let workers fetch from a queue again."""
    from worker.cli.work.queues import resume_queue

    return resume_queue(queue, as_json=as_json)


@verb(queues, "dead-letters")
def dead_letters(
    queue: _Queue,
    app: App = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    as_json: Json = False,
) -> int:
    """List the messages of a queue that failed or were set aside, the latest first."""
    from worker.cli.work.queues import print_letters

    return print_letters(queue, app, limit, cursor, as_json=as_json)


@verb(queues, "replay")
def replay(queue: _Queue, ids: _Ids = None, app: App = None, as_json: Json = False) -> int:
    """Send anew what failed or was set aside."""
    from worker.cli.work.queues import replay

    return replay(queue, ids, app, as_json=as_json)


@verb(queues, "discard")
def discard(queue: _Queue, ids: _Ids = None, app: App = None, as_json: Json = False) -> int:
    """Delete for good what failed or was set aside."""
    from worker.cli.work.queues import discard

    return discard(queue, ids, app, as_json=as_json)
