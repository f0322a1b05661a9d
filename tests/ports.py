"""Ports for servers that a test starts, which nobody else is given before the server listens."""

from __future__ import annotations

import itertools
import os
import random
import socket
from typing import Final

#: Below those that the kernel gives where any will do, and for connections to elsewhere.
_FIRST: Final = 10_000
#: Each of pytest's workers has some to itself.
_COUNT: Final = 4_000
_WORKERS: Final = 5
#: A service with several shims takes those that follow.
_STEP: Final = 4
_worker: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % _WORKERS
_numbers: Final = itertools.count(random.randrange(_COUNT // _STEP))  # noqa: S311


def free_port() -> int:
    """Return a port that nobody listens at, and which no other test is given soon."""
    while True:
        port = _FIRST + _worker * _COUNT + next(_numbers) * _STEP % _COUNT
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
