"""State of the service: what the overview shows, read from Redis and the database at once."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import NamedTuple

from starlette.concurrency import run_in_threadpool

from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError, QueueUnreachable
from models.crons import list_ticks
from models.db.errors import DatabaseUnreachable
from models.oauth.provider_health import TAB_PROVIDER_HEALTH, HealthState
from models.oauth.providers import owner_of, public_name
from worker.consuming.start_checks.durability import describe_risks
from worker.http.asgi.threads import run_with_database
from worker.http.console.overview.counts import CountCache, Counts
from worker.http.shim import Shim
from worker.process_list import RunningProcesses, read_processes
from worker.queue.report import Queue, describe_queues, read_reports
from worker.schedule import list_crons


class PausedProvider(NamedTuple):
    """A provider whose renewals are paused, or probed."""

    name: str
    app: str | None
    state: str
    is_held: bool
    until: datetime | None
    reason: str | None


class CronLine(NamedTuple):
    """A cron with its last and next tick."""

    name: str
    is_on: bool
    interval_seconds: int
    last_at: datetime | None
    next_at: datetime | None


class Overview(NamedTuple):
    """What is known of the service at a time; what could not be read is left out."""

    at: datetime
    queues: list[Queue]
    processes: list[RunningProcesses]
    risks: list[str]
    providers: list[PausedProvider]
    crons: list[CronLine]
    counts: Counts | None
    outages: list[CatFeederError]


async def read_overview(shim: Shim, counts: CountCache) -> Overview:
    """Return the state; `outages` names each part that is away."""
    now = utc_now()
    outages: list[CatFeederError] = []
    queues, processes, risks = await _read_queues(shim, now, outages)
    providers, crons = await _read_tables(shim, outages)
    counted = await counts.read()
    return Overview(now, queues, processes, risks, providers, crons, counted, outages)


async def _read_queues(
    shim: Shim, now: datetime, outages: list[CatFeederError]
) -> tuple[list[Queue], list[RunningProcesses], list[str]]:
    broker = shim.client.broker
    try:
        live, queues, processes, risks = await asyncio.gather(
            shim.live_workers.count(shim.redis),
            run_in_threadpool(describe_queues, broker, now),
            run_in_threadpool(lambda: read_processes(broker.client, read_reports(broker))),
            run_in_threadpool(describe_risks, broker.client),
        )
    except QueueUnreachable as error:
        outages.append(error)
        return [], [], []
    for queue in queues:
        # A report outlives its worker where no other is left to see it die.
        queue["workers"] = min(queue["workers"], live[queue["queue"]])
    return queues, processes, risks


async def _read_tables(
    shim: Shim, outages: list[CatFeederError]
) -> tuple[list[PausedProvider], list[CronLine]]:
    try:
        return await run_with_database(_read_providers), await run_with_database(_read_crons, shim)
    except DatabaseUnreachable as error:
        outages.append(error)
        return [], []


def _read_providers() -> list[PausedProvider]:
    return [
        PausedProvider(
            name=public_name(name),
            app=owner_of(name),
            state=row.state,
            is_held=row.is_held,
            until=None if row.is_held else row.paused_until,
            reason=row.reason,
        )
        for name, row in sorted(TAB_PROVIDER_HEALTH.load_all().items())
        if row.state != HealthState.CLOSED
    ]


def _read_crons(shim: Shim) -> list[CronLine]:
    ticks = list_ticks()
    lines = []
    for message, is_on, interval in list_crons(shim.settings.crons):
        tick = ticks.get(message.name)
        last_at, next_at = (tick.last_at, tick.next_at) if tick else (None, None)
        seconds = int(interval.total_seconds())
        lines.append(CronLine(message.name, is_on, seconds, last_at, next_at))
    return lines
