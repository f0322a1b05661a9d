"""A short run of the chaos: `make chaos` is the long one."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest

from config import ROOT

_COMMAND: Final = (sys.executable, "-m", "tests.chaos")
_SHORT: Final = (
    "--connections=20",
    "--token-seconds=3",
    "--apps=3",
    "--oauth=2",
    "--pause=0.5",
    "--away=0.5",
)


@pytest.mark.journey
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "options", [("--seconds=3",), ("--seconds=2", "--sqlite")], ids=["postgresql", "sqlite"]
)
def test_no_token_is_lost_while_everything_is_killed(options: tuple[str, ...]) -> None:
    # Given a provider whose refresh tokens serve once, and a service that renews all the time
    # When workers, schedulers, broker and database are killed at random
    command = [*_COMMAND, *_SHORT, *options]
    output, status = _run(command)
    # Then each token that is stored is the provider's latest, or the journal says why not
    assert status == 0, output


def _run(command: list[str]) -> tuple[str, int]:
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=subprocess.STDOUT, text=True)
    try:
        output, _ = process.communicate()
    finally:
        # Where the test runs out of time, it is given some to end what it has started.
        process.terminate()
        process.wait()
    return output, process.returncode
