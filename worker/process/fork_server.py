"""Fork server (zygote) of one start: loads what all processes of the service share, and forks them.

They share the memory of that code, and start without loading it. The supervisor starts this process
without a secret. Each child reads its own arguments and environment, which this process never sees,
from a file in memory. After the last fork this process ends: its children are the supervisor's.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import socket
import sys
from typing import Final

from worker.process.readiness import READY_VARIABLE
from worker.process.titles import set_title

#: What every process loads, or most of them do.
_MODULES: Final = (
    *("worker.process.perform", "worker.process.join", "worker.crons"),
    *("actors.passwords.hashing", "argon2", "bcrypt", "actors.renewal.sweep"),
    # Half of what the shim loads, and the longest to load.
    *("uvicorn", "redis.asyncio"),
)
_MAX_REQUEST_BYTES: Final = 64
#: The file of its arguments and environment, its output, and the pipe for its readiness.
_MAX_DESCRIPTORS: Final = 3


def run_fork_server() -> int:
    """Serve the supervisor, at the other end of stdin; in each child, carry out its command."""
    set_title("python -m worker fork-server")
    # What is to be shared is not to be looked at again: each look would copy it.
    gc.disable()
    for module in _MODULES:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=os.dup(0)) as control:
        while descriptors := _receive(control):
            if os.fork() == 0:
                # A session of its own, before the supervisor knows whom to signal.
                os.setsid()
                control.send(str(os.getpid()).encode())
                control.close()
                return _carry_out(*descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
    return 0


def _receive(control: socket.socket) -> list[int]:
    """Return the descriptors for a new process; none where the supervisor wants no further one."""
    _, descriptors, _, _ = socket.recv_fds(control, _MAX_REQUEST_BYTES, _MAX_DESCRIPTORS)
    return descriptors


def _carry_out(told: int, output: int, *ready: int) -> int:
    """Carry out a command, as if this process had been started by it, and return its status."""
    with os.fdopen(told, "rb") as file:
        wishes = json.load(file)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, place in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(descriptor, place)
    os.close(nothing)
    os.close(output)
    os.environ.clear()
    os.environ.update(wishes["environment"])
    os.environ[READY_VARIABLE] = " ".join(map(str, ready))
    set_title(" ".join(["python -m worker", *wishes["arguments"]]))
    gc.enable()
    return int(importlib.import_module("worker.__main__").main(wishes["arguments"]))


if __name__ == "__main__":
    sys.exit(run_fork_server())
