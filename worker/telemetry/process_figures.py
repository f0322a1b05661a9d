"""Figures of this process, as the kernel keeps them: memory, time of a core, open files."""

from __future__ import annotations

import os
import resource
from collections.abc import Collection
from pathlib import Path
from typing import Final, TypedDict

from catfeeder.messages import CONTROL, OAUTH, PASSWORDS, QUEUES, RENEWALS

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_STATM: Final = Path("/proc/self/statm")
_OPEN_FILES: Final = Path("/proc/self/fd")
#: The roles by the queues of the Procfile's lines.
_ROLES: Final = {
    frozenset({PASSWORDS}): "passwords",
    frozenset({OAUTH, RENEWALS}): "oauth",
    frozenset({CONTROL}): "scheduler",
}
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


def read_figures(role: str) -> ProcessFigures:
    """Return the figures of this process."""
    soft_limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return {
        "role": role,
        "memory_bytes": _read_memory_bytes(),
        "open_files": _count_open_files(),
        "open_files_limit": 0 if soft_limit == resource.RLIM_INFINITY else soft_limit,
    }


def read_cpu_seconds() -> float:
    """Return what this process has used of a core since its start, user and system."""
    used = os.times()
    return used.user + used.system


def _read_memory_bytes() -> int:
    try:
        return int(_STATM.read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return 0


def _count_open_files() -> int:
    try:
        # The folder is open itself while it is listed.
        return len(os.listdir(_OPEN_FILES)) - 1  # noqa: PTH208  Half the cost, every few seconds.
    except OSError:
        return 0
