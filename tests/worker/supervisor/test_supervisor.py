"""Supervisor: its processes' lines, their replacement after an end, and stops that leave none."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import psutil
import pytest

from worker.supervisor.plan import PlannedProcess
from worker.supervisor.restarts import RestartPolicy
from worker.supervisor.supervisor import Supervisor

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

#: Starts a child of its own, prints both pids and waits, as a Dramatiq master does.
LEADER = "sh -c 'sleep 600 & echo $$ $!; wait'"
#: Neither it nor its child ends at SIGTERM.
STUBBORN = """sh -c 'trap "" TERM; sleep 600 & echo $$ $!; wait; wait'"""


@dataclass
class Lines:
    """The lines that the processes printed, each with its process's name."""

    all: list[tuple[str, str]] = field(default_factory=list)

    def add(self, name: str, line: str) -> None:
        self.all.append((name, line))

    def of(self, name: str) -> list[str]:
        return [line for process, line in self.all if process == name]

    def pids(self, name: str) -> list[list[int]]:
        """The leader and its child, for each start."""
        return [[int(pid) for pid in line.split()] for line in self.of(name) if line[0].isdigit()]


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def policy() -> RestartPolicy:
    """The times of production; parametrize with others."""
    return RestartPolicy()


@pytest.fixture
async def supervisor(lines: Lines, policy: RestartPolicy) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(lines.add, lambda: None, policy)
    yield supervisor
    await supervisor.stop(supervisor.names(), 0)


def planned(name: str, command: str, **environment: str) -> PlannedProcess:
    kind, _, number = name.partition(".")
    return PlannedProcess(kind, int(number), command, {**os.environ, **environment})


async def until(condition: Callable[[], object], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is awaited happens in other processes.
            await asyncio.sleep(0.01)


async def start(supervisor: Supervisor, lines: Lines, name: str, command: str) -> list[int]:
    """Start a process that prints its pid and its child's, and return them."""
    supervisor.keep_running(planned(name, command))
    await until(lambda: lines.pids(name))
    return lines.pids(name)[0]


def is_alive(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


async def test_each_line_has_the_name_of_its_process(supervisor: Supervisor, lines: Lines) -> None:
    # Given two processes, of which one also prints to stderr, without end, and not in UTF-8
    shell = "sh -c 'echo port $PORT; exec sleep 600'"
    supervisor.keep_running(planned("web.1", shell, PORT="5001"))
    shell = r"sh -c 'printf \\377x >&2; exec sleep 600 >&- 2>&-'"
    supervisor.keep_running(planned("oauth.1", shell))

    # Then each line comes under its name
    await until(lambda: len(lines.all) >= 2)
    assert sorted(lines.all) == [("oauth.1", "\ufffdx"), ("web.1", "port 5001")]


async def test_a_line_of_any_length_is_passed_on(supervisor: Supervisor, lines: Lines) -> None:
    supervisor.keep_running(
        planned("web.1", f"{sys.executable} -c \"print('x' * 300_000); input()\" < /dev/zero")
    )

    await until(lambda: sum(map(len, lines.of("web.1"))) >= 300_000)
    assert set("".join(lines.of("web.1"))) == {"x"}


async def test_a_killed_leader_is_replaced_at_once_and_its_child_ends(
    supervisor: Supervisor, lines: Lines
) -> None:
    # Given two leaders with a child each
    leader, child = await start(supervisor, lines, "passwords.1", LEADER)
    await start(supervisor, lines, "passwords.2", LEADER)

    # When one of them is killed
    os.kill(leader, signal.SIGKILL)

    # Then another one takes its place at once, and the orphan ends
    await until(lambda: len(lines.pids("passwords.1")) == 2)
    await until(lambda: not is_alive(child))
    assert "killed by signal 9; started anew in 0 s" in lines.of("passwords.1")

    # And its sibling goes on
    assert len(lines.pids("passwords.2")) == 1


@pytest.mark.parametrize("policy", [RestartPolicy(orphan_seconds=60)])
async def test_an_orphan_gets_sigterm_so_that_its_job_can_end(
    supervisor: Supervisor, lines: Lines
) -> None:
    # Given a leader whose child ends its job before it ends itself
    job = "while :; do sleep 0.05; done"
    child = f'trap "sleep 0.1; echo job done; exit" TERM; echo at work; {job}'
    shell = f"sh -c '({child}) & echo $$ $!; wait'"
    leader, _ = await start(supervisor, lines, "oauth.1", shell)
    await until(lambda: "at work" in lines.of("oauth.1"))

    os.kill(leader, signal.SIGKILL)

    await until(lambda: "job done" in lines.of("oauth.1"))


@pytest.mark.parametrize("policy", [RestartPolicy(orphan_seconds=0.1)])
async def test_an_orphan_that_ignores_sigterm_is_killed(
    supervisor: Supervisor, lines: Lines
) -> None:
    leader, child = await start(supervisor, lines, "oauth.1", STUBBORN)

    os.kill(leader, signal.SIGKILL)

    await until(lambda: not is_alive(child))


@pytest.mark.parametrize("policy", [RestartPolicy(first_delay_seconds=0.05)])
async def test_a_process_that_keeps_ending_is_started_less_and_less_often(
    supervisor: Supervisor, lines: Lines
) -> None:
    # Given a process that ends with an error at once
    supervisor.keep_running(planned("control.1", "sh -c 'exit 3'"))

    # Then it is started anew at once, then with growing delays
    await until(lambda: len(lines.of("control.1")) == 3)
    assert lines.of("control.1") == [
        "ended with status 3; started anew in 0 s",
        "ended with status 3; started anew in 0.05 s",
        "ended with status 3; started anew in 0.1 s",
    ]
    assert supervisor.crash_loops == []

    # And after the fourth time it is in a crash loop
    await until(lambda: supervisor.crash_loops == ["control.1"])


async def test_a_stop_signals_the_leader_alone_and_waits_for_it(
    supervisor: Supervisor, lines: Lines
) -> None:
    # Given a leader that finishes its job at SIGTERM, and a child that would print it
    script = (
        '(trap "echo child asked" TERM; while :; do sleep 0.05; done) & child=$!;'
        ' trap "sleep 0.3; echo job done; kill -9 $child; exit 0" TERM;'
        " echo $$ $child; wait"
    )
    pids = await start(supervisor, lines, "oauth.1", f"sh -c '{script}'")

    # When it is stopped
    await supervisor.stop(["oauth.1"], grace_seconds=10)

    # Then the job was finished, the child had no SIGTERM, and no process is left
    assert lines.of("oauth.1")[1:] == ["job done"]
    assert not any(map(is_alive, pids))
    assert supervisor.names() == []


async def test_a_process_that_outlives_its_grace_is_killed_with_its_children(
    supervisor: Supervisor, lines: Lines
) -> None:
    pids = await start(supervisor, lines, "oauth.1", STUBBORN)

    await supervisor.stop(supervisor.names(), grace_seconds=0.2)

    assert not any(map(is_alive, pids))


@pytest.mark.parametrize("policy", [RestartPolicy(first_delay_seconds=600, max_delay_seconds=600)])
async def test_a_process_that_waits_for_its_next_start_is_not_started_again(
    supervisor: Supervisor, lines: Lines
) -> None:
    # Given a process whose next start is far away
    supervisor.keep_running(planned("control.1", "sh -c 'exit 3'"))
    await until(lambda: len(lines.of("control.1")) == 2)

    # When it is stopped, then the stop does not wait for that
    async with asyncio.timeout(60):
        await supervisor.stop(["control.1"], grace_seconds=600)

    assert supervisor.names() == []
    assert supervisor.pids == []


async def test_kinds_are_stopped_apart(supervisor: Supervisor, lines: Lines) -> None:
    pids = [
        (await start(supervisor, lines, name, LEADER))[0]
        for name in ("web.1", "web.2", "scheduler.1")
    ]

    await supervisor.stop(supervisor.names("web"), grace_seconds=5)

    assert supervisor.names() == ["scheduler.1"]
    assert list(map(is_alive, pids)) == [False, False, True]


async def test_a_cancelled_stop_leaves_the_processes_to_the_next_one(
    supervisor: Supervisor, lines: Lines
) -> None:
    # Given a stop that waits for a stubborn process
    pids = await start(supervisor, lines, "oauth.1", STUBBORN)
    stopping = asyncio.create_task(supervisor.stop(["oauth.1"], grace_seconds=60))
    await asyncio.sleep(0.05)

    # When it is cancelled, as a second Ctrl-C does, and the processes are ended at once
    stopping.cancel()
    await asyncio.wait([stopping])
    assert supervisor.names() == ["oauth.1"]
    await supervisor.stop(supervisor.names(), grace_seconds=0)

    # Then no process is left
    assert not any(map(is_alive, pids))
