"""A shell that outlives a killed supervisor just long enough to end the processes it left."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterable
from typing import Final

#: Each line is the list of processes that run now; the pipe ends when the supervisor does.
_SCRIPT: Final = 'while read -r line; do pids=$line; done; [ -z "$pids" ] || kill -TERM $pids'


class Guardian:
    """Keeps the list of our processes where no SIGKILL of ours can take it along."""

    def __init__(self) -> None:
        """Start the shell, in a session of its own so that no Ctrl-C reaches it."""
        read_end, self._pipe = os.pipe()
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT],
            stdin=read_end,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(read_end)

    def watch_over(self, pids: Iterable[int]) -> None:
        """Replace the list."""
        # Without its shell the service runs as well; it is only less tidy after a SIGKILL.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._pipe, " ".join(map(str, pids)).encode() + b"\n")

    def dismiss(self) -> None:
        """Let the shell go with nothing to end."""
        self.watch_over(())
        os.close(self._pipe)
        self._shell.wait()
