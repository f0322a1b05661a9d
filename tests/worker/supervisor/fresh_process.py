"""A process that has begun afresh, as the supervisor has, to fork a fork server off."""

from __future__ import annotations

import asyncio
import os
import pkgutil
import subprocess
import sys

from config import ROOT
from worker.process import fresh_start
from worker.supervisor.forking import launch_fork_server


def run_afresh(function: str, **variables: str) -> None:
    """Call a coroutine function with a fork server, in a process of its own, until it returns."""
    given = {name: value for name, value in os.environ.items() if not name.startswith("CATFEEDER")}
    command = [sys.executable, "-m", __name__, function]
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env={**given, **variables},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


if __name__ == "__main__":
    os.environ[fresh_start._VARIABLE] = str(os.memfd_create("environment"))
    server = launch_fork_server()
    asyncio.run(pkgutil.resolve_name(sys.argv[1])(server))
