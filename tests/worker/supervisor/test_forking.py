"""Forked processes, started by a real fork server and with real ends."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.conftest import SECRET_KEY
from tests.worker.supervisor.fresh_process import run_afresh
from worker.supervisor.forking import ForkServer
from worker.supervisor.processes import ServiceProcess, start_process

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux has fork servers")
_OURS = "python -m worker perform --queues letters --threads 1 --prefetch 1 --grace 1"
_ENVIRONMENT = {"CATFEEDER_IGNORE_ENV_FILE": "1", "PATH": os.environ["PATH"]}


async def _start(server: ForkServer, command: str, lines: list[str]) -> ServiceProcess:
    given = {**_ENVIRONMENT, "PORT": "none"}
    return await start_process(
        "one", command, given, lambda _, line: lines.append(line), fork_server=server
    )


def test_a_forked_process_ends_as_one_that_was_started() -> None:
    run_afresh(f"{__name__}:start_and_end")


async def start_and_end(server: ForkServer) -> None:
    """Start processes with a fork server, as a start has it, until they end."""
    # Given functions that were called in processes of their own, whose ends it has waited for
    assert await server.call("gc:get_debug", _ENVIRONMENT)
    assert not await server.call("threading:active_count", _ENVIRONMENT)

    # When a process of ours is started with it, and one that is not
    forked: list[str] = []
    shim: list[str] = []
    other: list[str] = []
    process = await _start(server, _OURS, forked)
    web = await _start(server, "python -m worker web", shim)
    stranger = await _start(server, "sh -c 'echo $0; exit 3'", other)
    assert os.getsid(process.pid) == process.pid
    assert os.getsid(web.pid) == web.pid

    # Then each ends with its own status, and what it printed has come
    assert await asyncio.wait_for(process.wait(), 30) == 1
    assert await asyncio.wait_for(web.wait(), 30) == 1
    assert await asyncio.wait_for(stranger.wait(), 30) == 3
    await process.clean_up(1)
    await web.clean_up(1)
    await stranger.clean_up(1)
    assert "--queues must be of" in forked[-1]
    assert "PORT must be" in shim[-1]
    assert other == ["sh"]

    # And as one has ended, the next one is started without a fork server that ended with it
    again: list[str] = []
    assert await (await _start(server, _OURS, again)).wait() == 1
    await server.stop()


def test_a_forked_process_has_the_client_of_its_database() -> None:
    run_afresh(f"{__name__}:ask_postgresql", DATABASE_URL="postgresql:")


async def ask_postgresql(server: ForkServer) -> None:
    """Start a process on a PostgreSQL whose password no fork server is to see."""
    known = {
        "DATABASE_URL": "postgresql://cat:hunter2@127.0.0.1:1/feeder",
        "SECRET_KEY": SECRET_KEY,
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }
    # When a process that uses the database is forked, then it has what it needs to ask it
    has_asked = asyncio.Event()

    def look(_name: str, line: str) -> None:
        if "The database cannot be used: check DATABASE_URL" in line:
            has_asked.set()

    process = await start_process(
        "one", "python -m worker scheduler", {**_ENVIRONMENT, **known}, look, fork_server=server
    )
    seen = await asyncio.to_thread(Path(f"/proc/{server.pid}/environ").read_text)
    await asyncio.wait_for(has_asked.wait(), 60)
    process.terminate()
    await asyncio.wait_for(process.wait(), 60)
    await process.clean_up(1)
    await server.stop()
    assert "hunter2" not in seen
