"""Fork server (zygote) of one start: loads what all processes of the service share, and forks them.

They share the memory of that code, and start without loading it. This process is itself a fork, of
a supervisor that has begun afresh: it holds no secret. Each child reads its own arguments and
environment, which this process never sees, from a file in memory. After the last fork this process
ends: its children are the supervisor's.

The shim has a fork server of its own, a fork of this one before that has loaded what the shim does
not use. The two load at the same time, and neither waits for a secret.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
from collections.abc import Iterable
from typing import Final

from worker.process.arguments import build_parser
from worker.process.fresh_start import forget_environment
from worker.process.readiness import READY_VARIABLE
from worker.process.titles import set_title

#: Requests: a command, whose pid is the answer; and a function, whose end is waited for.
FORK: Final = b"fork"
CALL: Final = b"call"
#: What the shim has in common with the other processes.
_SHARED: Final = (
    *("uvicorn", "redis.asyncio", "worker.process.join", "worker.process_list"),
    *("worker.queue.key_list", "worker.queue.client", "worker.telemetry.publishing"),
    *("worker.consuming.in_flight.messages", "worker.consuming.start_checks.abilities"),
    *("actors.passwords.costs", "actors.queue.dead_letters", "actors.providers.config.rates"),
    *("actors.providers.config.lookup", "models.renewal.leases", "models.renewal.journal"),
)
#: What the shim alone loads, by a function.
_OF_WEB: Final = "worker.http.serve:load_shim"
#: What the others load, or most of them do.
_OF_OTHERS: Final = (
    *("worker.process.perform", "worker.crons", "actors.renewal.sweep"),
    *("actors.passwords.hashing", "argon2", "bcrypt"),
)
#: What each of them would find out for itself, and keep: cached functions.
_FOUND_OUT: Final = (
    "worker.consuming.releases:own_release",
    "actors.passwords.derivation:measure_rounds_per_second",
)
_MAX_REQUEST_BYTES: Final = 64
#: The file of its arguments and environment, its output, and the pipe for its readiness.
_MAX_DESCRIPTORS: Final = 3
#: prctl(2): this process ends with its parent, also while it loads.
_PR_SET_PDEATHSIG: Final = 1


def run_fork_server(control: socket.socket, web_control: socket.socket) -> int:
    """Serve the supervisor, at the other ends; in each child, carry out its command."""
    _part_from_supervisor()
    # What is to be shared is not to be looked at again: each look would copy it.
    gc.disable()
    _load(_SHARED)
    build_parser()
    gc.freeze()
    web_server = os.fork()
    if web_server == 0:
        control.close()
        _end_with_parent()
        pkgutil.resolve_name(_OF_WEB)()
        return _serve(web_control)
    web_control.close()
    _load(_OF_OTHERS)
    for function in _FOUND_OUT:
        pkgutil.resolve_name(function)()
    return _serve(control, web_server)


def _load(modules: Iterable[str]) -> None:
    for module in modules:
        importlib.import_module(module)


def _serve(control: socket.socket, other_server: int | None = None) -> int:
    """Fork for each request, and end with the last one, and with it the other server."""
    gc.freeze()
    while received := _receive(control):
        request, descriptors = received
        pid = os.fork()
        if pid == 0:
            # A session of its own, before the supervisor knows whom to signal.
            os.setsid()
            if request == FORK:
                control.send(str(os.getpid()).encode())
            control.close()
            return _carry_out(*descriptors)
        if request == CALL:
            _, status = os.waitpid(pid, 0)
            control.send(b"1" if status == 0 else b"0")
        for descriptor in descriptors:
            os.close(descriptor)
    if other_server is not None:
        # It may still load what is not wanted any more.
        os.kill(other_server, signal.SIGKILL)
        os.waitpid(other_server, 0)
    # At once: taking the code apart would take longer than loading it.
    os._exit(0)


def _part_from_supervisor() -> None:
    forget_environment()
    os.setsid()
    _end_with_parent()
    set_title("python -m worker fork-server")
    _redirect(os.open(os.devnull, os.O_RDONLY), 0)


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _receive(control: socket.socket) -> tuple[bytes, list[int]] | None:
    """Return a request with its descriptors; None where the supervisor has no further one."""
    request, descriptors, _, _ = socket.recv_fds(control, _MAX_REQUEST_BYTES, _MAX_DESCRIPTORS)
    return (request, descriptors) if request else None


def _carry_out(told: int, output: int | None = None, *ready: int) -> int:
    """Carry out a wish, as if this process had been started for it, and return its status."""
    with os.fdopen(told, "rb") as file:
        wishes = json.load(file)
    if output is not None:
        os.dup2(output, 1)
        _redirect(output, 2)
    os.environ.clear()
    os.environ.update(wishes["environment"])
    if "function" in wishes:
        # At once, as the fork server does.
        os._exit(pkgutil.resolve_name(wishes["function"])())
    os.environ[READY_VARIABLE] = " ".join(map(str, ready))
    set_title(" ".join(["python -m worker", *wishes["arguments"]]))
    return int(importlib.import_module("worker.__main__").main(wishes["arguments"]))


def _redirect(descriptor: int, place: int) -> None:
    os.dup2(descriptor, place)
    os.close(descriptor)
