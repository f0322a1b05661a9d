"""Figures of this process, as the kernel keeps them: memory, time of a core, open files."""

from __future__ import annotations

import os
import resource
from collections.abc import Collection
from pathlib import Path
from typing import Final, TypedDict

from catfeeder.messages import CONTROL, OAUTH, PASSWORDS, QUEUES, RENEWALS

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
#: The roles by the queues of the Procfile's lines.
_ROLES: Final = {
    frozenset({PASSWORDS}): "passwords",
    frozenset({OAUTH, RENEWALS}): "oauth",
    frozenset({CONTROL}): "scheduler",
}
#: Tells one process of `make run` to report the figures of its supervisor, by its id.
SUPERVISOR_PID: Final = "CATFEEDER_SUPERVISOR_PID"
#: Tells a process that it replaces one of its line that has ended by itself.
RESTARTED: Final = "CATFEEDER_RESTARTED"
WEB: Final = "web"
SCHEDULER: Final = "scheduler"
SUPERVISOR: Final = "supervisor"


class ProcessFigures(TypedDict):
    """What a process uses now; 0 where this machine does not say."""

    role: str
    memory_bytes: int
    open_files: int
    open_files_limit: int


def name_role(queues: Collection[str]) -> str:
    """Return the name of a process that performs these queues: its line of the Procfile's."""
    known = [queue for queue in QUEUES if queue in queues]
    return _ROLES.get(frozenset(known), "+".join(known) or "worker")


def read_figures(role: str, process: str = "self") -> ProcessFigures:
    """Return the figures of a process by its id, of this one if it is left out."""
    return {
        "role": role,
        "memory_bytes": _read_memory_bytes(process),
        "open_files": _count_open_files(process),
        "open_files_limit": _read_open_files_limit(process),
    }


def read_cpu_seconds(process: str = "self") -> float:
    """Return what a process has used of a core since its start, user and system."""
    try:
        # The name before the parenthesis may have spaces in it.
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND
    except (OSError, IndexError, ValueError):
        used = os.times()
        return used.user + used.system if process == "self" else 0.0


def _read_memory_bytes(process: str) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return 0


def _count_open_files(process: str) -> int:
    try:
        # The folder is open itself while it is listed.
        is_own = process == "self"
        return len(os.listdir(f"/proc/{process}/fd")) - is_own  # noqa: PTH208  Half the cost.
    except OSError:
        return 0


def _read_open_files_limit(process: str) -> int:
    if process != "self":
        return 0
    soft_limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 0 if soft_limit == resource.RLIM_INFINITY else soft_limit
