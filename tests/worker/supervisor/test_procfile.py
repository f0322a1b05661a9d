"""Procfile: the commands that are read, the lines that are refused, and its own figures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config import ROOT
from worker.errors import ProcfileInvalid
from worker.http.jobs import admission
from worker.supervisor.procfile import read_procfile
from worker.supervisor.service import WORKER_GRACE_SECONDS


def test_commands_are_read_in_order_without_comments(tmp_path: Path) -> None:
    # Given a Procfile with comments and blank lines
    path = tmp_path / "Procfile"
    path.write_text("# why\n\nweb: uvicorn app --port $PORT\n  scheduler:python -m x: y # kept\n")

    # When it is read
    commands = read_procfile(path)

    # Then the commands are whole and in order
    assert list(commands.items()) == [
        ("web", "uvicorn app --port $PORT"),
        ("scheduler", "python -m x: y # kept"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("web: a\nworker\n", "Procfile, line 2: this is not `name: command`."),
        ("web:\n", "Procfile, line 1: this is not `name: command`."),
        ("a b: c\n", "Procfile, line 1: this is not `name: command`."),
        ("web: a\n\nweb: b\n", "Procfile, line 3: web is there twice."),
        ("# nothing\n", "Procfile names no process."),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "Procfile"
    path.write_text(text)

    with pytest.raises(ProcfileInvalid) as caught:
        read_procfile(path)

    assert str(caught.value) == message


def test_a_missing_procfile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProcfileInvalid, match="cannot be read: No such file"):
        read_procfile(tmp_path / "Procfile")


def test_our_procfile_gives_every_queue_a_worker() -> None:
    # Given the Procfile that the service runs
    commands = read_procfile(ROOT / "Procfile")

    # Then it has these processes, and each queue is listened to by one of them alone
    assert list(commands) == ["web", "passwords", "oauth", "scheduler"]
    queues = [
        queue
        for command in commands.values()
        if "--queues" in command
        for queue in command.partition("--queues ")[2].partition(" --")[0].split()
    ]
    assert sorted(queues) == ["control", "oauth", "passwords", "renewals"]


def test_the_shim_expects_as_many_threads_as_there_are() -> None:
    threads = re.findall(
        r"^oauth:.* --threads (\d+)", (ROOT / "Procfile").read_text(), re.MULTILINE
    )
    assert threads == [str(admission._OAUTH_THREADS)]


def test_the_supervisor_waits_longer_than_any_worker_takes_to_stop() -> None:
    graces = re.findall(r"--grace (\d+)", (ROOT / "Procfile").read_text())
    assert len(graces) >= 3
    # Dramatiq grants it twice: to the threads that perform, and to those that consume.
    assert 2 * max(map(int, graces)) < WORKER_GRACE_SECONDS


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "Procfile").write_bytes(b"web: \xff\n")

    with pytest.raises(ProcfileInvalid, match=r"^Procfile is not text in UTF-8\.$"):
        read_procfile(tmp_path / "Procfile")
