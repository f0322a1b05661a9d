"""Guardian: keeps the promise that a killed `make run` leaves no process and no lock behind.

No process can catch SIGKILL, so a shell outlives the supervisor for the moment that it takes.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterable
from typing import Final

from worker.errors import ShellMissing

SHELL: Final = "/bin/sh"
#: Each line is the list of processes that run now; the pipe ends when the supervisor does.
_SCRIPT: Final = 'while read -r line; do pids=$line; done; [ -z "$pids" ] || kill -TERM $pids'


class Guardian:
    """A shell that sends SIGTERM to the latest list of processes once this process has ended."""

    def __init__(self) -> None:
        """Start the shell, in a session of its own so that no Ctrl-C reaches it.

        Raises:
            ShellMissing: There is none, or it cannot be run.
        """
        read_end, self._pipe = os.pipe()
        try:
            self._shell = subprocess.Popen(
                [SHELL, "-c", _SCRIPT],
                # It needs nothing of ours, and no secret.
                env={},
                stdin=read_end,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError:
            os.close(self._pipe)
            raise ShellMissing from None
        finally:
            os.close(read_end)

    def watch(self, pids: Iterable[int]) -> None:
        """Replace the list."""
        # Without its shell the service runs as well; only a SIGKILL leaves processes behind.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._pipe, " ".join(map(str, pids)).encode() + b"\n")

    def stop(self) -> None:
        """End the shell, which then signals no process."""
        self.watch(())
        os.close(self._pipe)
        self._shell.wait()
