"""Forked processes, started by a real fork server and with real ends."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.conftest import SECRET_KEY
from worker.supervisor.forking import ForkServer, launch_fork_server
from worker.supervisor.processes import ServiceProcess, start_process

_OURS = "python -m worker perform --queues letters --threads 1 --prefetch 1 --grace 1"
_ENVIRONMENT = {"CATFEEDER_IGNORE_ENV_FILE": "1", "PATH": os.environ["PATH"]}


async def _start(server: ForkServer, command: str, lines: list[str]) -> ServiceProcess:
    return await start_process(
        "one", command, _ENVIRONMENT, lambda _, line: lines.append(line), fork_server=server
    )


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux has fork servers")
def test_a_forked_process_ends_as_one_that_was_started() -> None:
    async def run() -> None:
        # Given a fork server, as a start has it
        server = launch_fork_server()
        assert server is not None
        forked: list[str] = []
        other: list[str] = []

        # When a process of ours is started with it, and one that is not
        process = await _start(server, _OURS, forked)
        stranger = await _start(server, "sh -c 'echo $0; exit 3'", other)
        assert os.getsid(process.pid) == process.pid

        # Then each ends with its own status, and what it printed has come
        assert await asyncio.wait_for(process.wait(), 30) == 1
        assert await asyncio.wait_for(stranger.wait(), 30) == 3
        await process.clean_up(1)
        await stranger.clean_up(1)
        assert "--queues must be of" in forked[-1]
        assert other == ["sh"]

        # And as one has ended, the next one is started without a fork server that ended with it
        again: list[str] = []
        assert await (await _start(server, _OURS, again)).wait() == 1
        await server.stop()

    asyncio.run(run())


def _read_environment(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_text()


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux has fork servers")
def test_a_forked_process_has_the_client_of_its_database(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a PostgreSQL, whose password no fork server is to see
    url = "postgresql://cat:hunter2@127.0.0.1:1/feeder"
    monkeypatch.setenv("DATABASE_URL", url)
    known = {"DATABASE_URL": url, "SECRET_KEY": SECRET_KEY}

    async def run() -> None:
        server = launch_fork_server()
        assert server is not None
        # When a process that uses the database is forked, then it has what it needs to ask it
        has_asked = asyncio.Event()

        def look(_name: str, line: str) -> None:
            if "The database cannot be used: check DATABASE_URL" in line:
                has_asked.set()

        process = await start_process(
            "one",
            "python -m worker scheduler",
            {**_ENVIRONMENT, **known, "REDIS_URL": "redis://127.0.0.1:1/0"},
            look,
            fork_server=server,
        )
        seen = _read_environment(server.pid)
        await asyncio.wait_for(has_asked.wait(), 60)
        process.terminate()
        await asyncio.wait_for(process.wait(), 60)
        await process.clean_up(1)
        await server.stop()
        assert "hunter2" not in seen

    asyncio.run(run())
