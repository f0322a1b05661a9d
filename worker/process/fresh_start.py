"""Fresh start: `make run` begins anew in its place, with no secret in its environment or memory.

Its fork server is a fork of itself, and shares the memory of what it has loaded. So that this holds
no secret, the environment waits in a file in memory until the fork is made, and `.env` unread.

What is loaded before is loaded again after, so this loads no more than Python itself has: neither
`pathlib` nor `typing`, each a tenth of the time until then.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sys

from worker.process.titles import ROOM, set_title

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: The descriptor of that file.
_VARIABLE: Final = "CATFEEDER_ENVIRONMENT_FD"
#: What Python and its libraries read when they are loaded.
_KEPT: Final = frozenset({"HOME", "LANG", "LANGUAGE", "PATH", "TMPDIR", "TZ", "VIRTUAL_ENV"})
_KEPT_PREFIXES: Final = ("GLIBC_", "LC_", "LD_", "MALLOC_", "OTEL_", "PYTHON")
_DATABASE: Final = "DATABASE_URL"


def begin_afresh() -> None:
    """Start this command anew without its environment, where the system has what forks need."""
    if _VARIABLE in os.environ:
        sys.argv.remove(ROOM)
        set_title(" ".join(part for part in sys.orig_argv if part != ROOM))
    elif _can_fork() and ("-m", "worker") in itertools.pairwise(sys.orig_argv):
        os.execve(  # noqa: S606
            sys.executable, [sys.executable, *sys.orig_argv[1:], ROOM], _set_environment_aside()
        )


def is_fresh() -> bool:
    """Return whether this process has begun afresh, and has not taken its environment back."""
    return _VARIABLE in os.environ


def take_environment() -> None:
    """Take the environment back that was set aside; do nothing where none was."""
    descriptor = os.environ.get(_VARIABLE)
    if descriptor is not None:
        with os.fdopen(int(descriptor), "rb") as file:
            variables = file.read().split(b"\0")
        os.environ.clear()
        pairs = (variable.partition(b"=") for variable in variables if variable)
        os.environb.update((name, value) for name, _, value in pairs)


def forget_environment() -> None:
    """Close the file of what was set aside, in a process that is not to have it."""
    os.close(int(os.environ.pop(_VARIABLE)))


def _can_fork() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
        os.close(os.memfd_create("catfeeder"))
    except (AttributeError, OSError):
        return False
    return True


def _set_environment_aside() -> dict[str, str]:
    """Write the environment to a file in memory, and return the one to begin with."""
    descriptor = os.memfd_create("catfeeder", 0)
    with os.fdopen(descriptor, "wb", closefd=False) as file:
        file.write(b"\0".join(b"=".join(variable) for variable in os.environb.items()))
    os.lseek(descriptor, 0, os.SEEK_SET)
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or name.startswith(_KEPT_PREFIXES)
    }
    if _may_use_postgresql():
        # The scheme alone makes this process load the client.
        kept[_DATABASE] = "postgresql:"
    own = {"CATFEEDER_IGNORE_ENV_FILE": "1", "PYTHONUNBUFFERED": "1", _VARIABLE: str(descriptor)}
    return {**kept, **own}


def _may_use_postgresql() -> bool:
    """Return whether DATABASE_URL is a PostgreSQL's; without any, no settings are loaded."""
    text = ""
    root = __file__.removesuffix("/worker/process/fresh_start.py")
    with contextlib.suppress(OSError, ValueError), open(f"{root}/.env") as file:  # noqa: PTH123
        text = file.read()
    lines = (line.partition("=") for line in [*os.environ, *text.splitlines()])
    if not any(_DATABASE in name and (value or not sign) for name, sign, value in lines):
        return False
    from config import uses_postgresql

    return uses_postgresql()
