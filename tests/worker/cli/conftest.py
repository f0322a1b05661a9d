"""The command line as an operator types it: in this process, or in a directory of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from config import Settings, current_settings
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
def typed(
    command: Command,
    settings: Settings,  # noqa: ARG001
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> Command:
    """Types a command in an environment that has the test's variables, and these."""

    def run(*arguments: str, **variables: str) -> Ended:
        environment.update({"SECRET_KEY_PREVIOUS": "", **variables})
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        current_settings.cache_clear()
        return command(*arguments)

    return run


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceDirectory]:
    """A directory to type commands in, whose Procfile starts stand-ins.

    Its path is short, as that of a socket has to be: it does not have the test's name.
    """
    with standing_in(tmp_path_factory.mktemp("here")) as directory:
        yield directory
