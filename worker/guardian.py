"""A shell that outlives a killed supervisor just long enough to end the processes it left."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterable
from typing import Final

#: Each line is the list of processes that run now; the pipe ends when the supervisor does, in whatever way.
_SCRIPT: Final = 'while read -r line; do pids=$line; done; [ -z "$pids" ] || kill -TERM $pids'


class Guardian:
    """Keeps the list of our processes where a SIGKILL or a lack of memory cannot take it with us."""

    def __init__(self) -> None:
        """Start the shell, in a session of its own so that no Ctrl-C reaches it."""
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch_over(self, pids: Iterable[int]) -> None:
        """Replace the list."""
        assert self._shell.stdin is not None
        # Without its shell the service runs as well; it is only less tidy after a SIGKILL.
        with contextlib.suppress(BrokenPipeError):
            self._shell.stdin.write(" ".join(map(str, pids)).encode() + b"\n")
            self._shell.stdin.flush()

    def dismiss(self) -> None:
        """Let the shell go with nothing to end."""
        self.watch_over(())
        with contextlib.suppress(BrokenPipeError):
            self._shell.communicate()
