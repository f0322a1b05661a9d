"""The command line as an operator types it: in this process, or in a directory of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.stack.directory import ServiceDirectory, standing_in
from worker.__main__ import main


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Ended]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Type a command, with arguments; it has the settings of the test's process."""

    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        try:
            status: object = main([*arguments])
        except SystemExit as end:
            status = end.code
        assert isinstance(status, int)
        printed = capsys.readouterr()
        return Ended(status, printed.out, printed.err)

    return run


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[ServiceDirectory]:
    """A directory to type commands in, whose Procfile starts stand-ins."""
    (tmp_path / "here").mkdir()
    with standing_in(tmp_path / "here") as directory:
        yield directory
