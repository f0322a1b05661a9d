"""The supervisor: whom it starts, whom it replaces and how fast, and that nobody is left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import psutil
import pytest

from worker.supervisor.plan import PlannedProcess
from worker.supervisor.supervisor import Backoff, Supervisor

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

#: Starts a child of its own, prints both pids and waits, as a Dramatiq master does.
LEADER = "sh -c 'sleep 600 & echo $$ $!; wait'"
#: Ends neither when it is asked to, nor does its child.
STUBBORN = """sh -c 'trap "" TERM; sleep 600 & echo $$ $!; wait; wait'"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Lines:
    """What the processes said."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def hear(self, name: str, line: str) -> None:
        self.heard.append((name, line))

    def of(self, name: str) -> list[str]:
        return [line for who, line in self.heard if who == name]

    def pids(self, name: str) -> list[list[int]]:
        """The leader and its child, for each start."""
        return [[int(pid) for pid in line.split()] for line in self.of(name) if line[0].isdigit()]


@asynccontextmanager
async def supervising(lines: Lines) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(lines.hear, lambda: None)
    try:
        yield supervisor
    finally:
        await supervisor.stop(supervisor.names(), 0)


def planned(name: str, command: str, **environment: str) -> PlannedProcess:
    kind, _, number = name.partition(".")
    return PlannedProcess(kind, int(number), command, {**os.environ, **environment})


async def until(condition: Callable[[], object], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is awaited happens in other processes.
            await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


async def test_lines_are_heard_under_the_name_of_their_process() -> None:
    lines = Lines()
    async with supervising(lines) as supervisor:
        # Given two processes, one of which also speaks on stderr, without end, and not in UTF-8
        supervisor.keep(planned("web.1", "sh -c 'echo port $PORT; exec sleep 600'", PORT="5001"))
        supervisor.keep(planned("oauth.1", r"sh -c 'printf \\377x >&2; exec sleep 600 >&- 2>&-'"))

        # Then each line is told under its name
        await until(lambda: len(lines.heard) >= 2)
        assert sorted(lines.heard) == [("oauth.1", "\ufffdx"), ("web.1", "port 5001")]


async def test_a_line_of_any_length_is_passed_on() -> None:
    lines = Lines()
    async with supervising(lines) as supervisor:
        supervisor.keep(
            planned("web.1", f"{sys.executable} -c \"print('x' * 300_000); input()\" < /dev/zero")
        )

        await until(lambda: sum(map(len, lines.of("web.1"))) >= 300_000)
        assert set("".join(lines.of("web.1"))) == {"x"}


async def test_a_killed_leader_is_replaced_at_once_and_its_child_ends() -> None:
    lines = Lines()
    async with supervising(lines) as supervisor:
        # Given a leader with a child
        supervisor.keep(planned("passwords.1", LEADER))
        supervisor.keep(planned("passwords.2", LEADER))
        await until(lambda: lines.pids("passwords.1") and lines.pids("passwords.2"))
        [[leader, child]] = lines.pids("passwords.1")

        # When the leader is killed
        os.kill(leader, signal.SIGKILL)

        # Then another one takes its place at once, and the orphan ends
        await until(lambda: len(lines.pids("passwords.1")) == 2)
        await until(lambda: not is_alive(child))
        assert "killed by signal 9; started anew in 0 s" in lines.of("passwords.1")

        # And its sibling was left in peace
        assert len(lines.pids("passwords.2")) == 1


async def test_an_orphan_is_asked_to_end_so_that_its_job_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("worker.supervisor.processes._ORPHAN_SECONDS", 60)
    lines = Lines()
    async with supervising(lines) as supervisor:
        # Given a leader whose child ends its job before it ends itself
        job = "while :; do sleep 0.05; done"
        child = f'trap "sleep 0.3; echo job done; exit" TERM; echo at work; {job}'
        supervisor.keep(planned("oauth.1", f"sh -c '({child}) & echo $$ $!; wait'"))
        await until(lambda: lines.pids("oauth.1") and "at work" in lines.of("oauth.1"))

        os.kill(lines.pids("oauth.1")[0][0], signal.SIGKILL)

        await until(lambda: "job done" in lines.of("oauth.1"))


async def test_an_orphan_that_does_not_end_when_asked_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("worker.supervisor.processes._ORPHAN_SECONDS", 0.3)
    lines = Lines()
    async with supervising(lines) as supervisor:
        supervisor.keep(planned("oauth.1", STUBBORN))
        await until(lambda: lines.pids("oauth.1"))
        [[leader, child]] = lines.pids("oauth.1")

        os.kill(leader, signal.SIGKILL)

        await until(lambda: not is_alive(child))


async def test_one_that_keeps_ending_is_started_less_and_less_often() -> None:
    lines = Lines()
    async with supervising(lines) as supervisor:
        # Given a process that ends with an error at once
        supervisor.keep(planned("control.1", "sh -c 'exit 3'"))

        # Then it is started anew at once, then with growing delays
        await until(lambda: len(lines.of("control.1")) == 3)
        assert lines.of("control.1") == [
            "ended with status 3; started anew in 0 s",
            "ended with status 3; started anew in 0.5 s",
            "ended with status 3; started anew in 1 s",
        ]
        assert supervisor.hopeless == []

        # And after the fourth time there is no hope for it
        await until(lambda: supervisor.hopeless == ["control.1"])


async def test_one_that_is_killed_again_and_again_is_not_hopeless() -> None:
    lines = Lines()
    async with supervising(lines) as supervisor:
        supervisor.keep(planned("control.1", "sh -c 'kill -9 $$'"))

        await until(lambda: len(lines.of("control.1")) == 4)
        assert supervisor.hopeless == []


def test_the_delay_grows_to_half_a_minute_and_a_long_life_resets_it() -> None:
    backoff = Backoff()

    delays = [backoff.next_delay(lived_seconds=0.1) for _ in range(9)]

    assert delays == [0, 0.5, 1, 2, 4, 8, 16, 30, 30]
    assert backoff.next_delay(lived_seconds=3600) == 0
    assert backoff.next_delay(lived_seconds=0.1) == 0.5


async def test_stop_asks_the_leader_alone_and_waits_for_it() -> None:
    lines = Lines()
    async with supervising(lines) as supervisor:
        # Given a leader that finishes its job when asked to end, and a child that tells if asked
        script = (
            '(trap "echo child asked" TERM; while :; do sleep 0.05; done) & child=$!;'
            ' trap "sleep 0.3; echo job done; kill -9 $child; exit 0" TERM;'
            " echo $$ $child; wait"
        )
        supervisor.keep(planned("oauth.1", f"sh -c '{script}'"))
        await until(lambda: lines.pids("oauth.1"))

        # When it is stopped
        await supervisor.stop(["oauth.1"], grace_seconds=10)

        # Then the job was finished, the child was not asked a second time, and nobody is left
        assert lines.of("oauth.1")[1:] == ["job done"]
        assert not any(map(is_alive, lines.pids("oauth.1")[0]))
        assert supervisor.names() == []


async def test_who_does_not_end_in_time_is_killed_with_its_children() -> None:
    lines = Lines()
    async with supervising(lines) as supervisor:
        supervisor.keep(planned("oauth.1", STUBBORN))
        await until(lambda: lines.pids("oauth.1"))

        await supervisor.stop(supervisor.names(), grace_seconds=0.2)

        assert not any(map(is_alive, lines.pids("oauth.1")[0]))


async def test_one_that_waits_for_its_next_start_is_not_started_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("_FIRST_DELAY_SECONDS", "_LONGEST_DELAY_SECONDS"):
        monkeypatch.setattr(f"worker.supervisor.supervisor.{name}", 600)
    lines = Lines()
    async with supervising(lines) as supervisor:
        # Given one whose next start is far away
        supervisor.keep(planned("control.1", "sh -c 'exit 3'"))
        await until(lambda: len(lines.of("control.1")) == 2)

        # When it is stopped, then nobody waits for that
        async with asyncio.timeout(60):
            await supervisor.stop(["control.1"], grace_seconds=600)

        assert supervisor.names() == []
        assert supervisor.pids == []


async def test_kinds_are_stopped_apart() -> None:
    lines = Lines()
    async with supervising(lines) as supervisor:
        for name in ("web.1", "web.2", "scheduler.1"):
            supervisor.keep(planned(name, LEADER))
        await until(lambda: len(lines.heard) == 3)

        await supervisor.stop(supervisor.names("web"), grace_seconds=5)

        assert supervisor.names() == ["scheduler.1"]
        assert [is_alive(lines.pids(name)[0][0]) for name in ("web.1", "web.2", "scheduler.1")] == [
            False,
            False,
            True,
        ]


async def test_a_cancelled_stop_leaves_the_processes_to_the_next_one() -> None:
    lines = Lines()
    async with supervising(lines) as supervisor:
        # Given a stop that waits for a stubborn process
        supervisor.keep(planned("oauth.1", STUBBORN))
        await until(lambda: lines.pids("oauth.1"))
        stopping = asyncio.create_task(supervisor.stop(["oauth.1"], grace_seconds=60))
        await asyncio.sleep(0.05)

        # When it is cancelled, as a second Ctrl-C does, and the processes are ended at once
        stopping.cancel()
        await asyncio.wait([stopping])
        assert supervisor.names() == ["oauth.1"]
        await supervisor.stop(supervisor.names(), grace_seconds=0)

        # Then nobody is left
        assert not any(map(is_alive, lines.pids("oauth.1")[0]))
