"""Process plan: each line of the Procfile, as often as [Processes] says, and its environment."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config import Settings

WEB: Final = "web"
_PASSWORDS: Final = "passwords"


@dataclass(frozen=True, slots=True)
class PlannedProcess:
    """One copy of a Procfile line, such as the second of `passwords`."""

    kind: str
    number: int
    command: str
    environment: Mapping[str, str]

    @property
    def announces(self) -> bool:
        """Whether the command reports that it is ready, as ours do: others count once started."""
        return re.search(r"\bworker (perform|scheduler)\b", self.command) is not None

    @property
    def name(self) -> str:
        """Its name among all copies of all lines."""
        return f"{self.kind}.{self.number}"


def plan_processes(
    settings: Settings,
    commands: Mapping[str, str],
    redis_url: str,
    added: Mapping[str, str] | None = None,
) -> Iterator[PlannedProcess]:
    """Yield the processes to start, in the Procfile's order, with `added` in their environment."""
    for kind, command in commands.items():
        for number in range(1, _count(settings, kind) + 1):
            environment = {**_build_environment(settings, redis_url, number), **(added or {})}
            yield PlannedProcess(kind, number, command, environment)


def web_ports(settings: Settings) -> range:
    """Return the ports of the copies of `web`, counted up from PORT: two cannot share one."""
    return range(settings.port, settings.port + settings.processes.web)


def _count(settings: Settings, kind: str) -> int:
    """Return how many copies of a line run; a line without a setting in config.toml runs once."""
    count = int(getattr(settings.processes, kind, 1))
    return _core_count() if kind == _PASSWORDS and count == 0 else count


def _core_count() -> int:
    """Return the number of usable cores, which in a container are fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _build_environment(settings: Settings, redis_url: str, number: int) -> dict[str, str]:
    # uvicorn would start as many processes on one port, which our own settings know nothing of.
    inherited = {name: value for name, value in os.environ.items() if name != "WEB_CONCURRENCY"}
    return {
        **inherited,
        "HOST": settings.host,
        "PORT": str(web_ports(settings)[0] + number - 1),
        "REDIS_URL": redis_url,
        # A provider knows one address only, so further copies of `web` name the first one's.
        "REDIRECT_URI": settings.redirect_uri,
        # Commands come from the virtual environment of this process, activated or not.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONUNBUFFERED": "1",
    }
