"""Process plan: each line of the Procfile, as often as [Processes] says, and its environment."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from config import Settings, read_environment
from worker.process.own_secrets import build_environment, select_needs
from worker.telemetry.process_figures import RESTARTED, SUPERVISOR_PID

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
        # An older Procfile has uvicorn's own command.
        ours = r"\bworker (perform|scheduler|web)\b|worker\.http\.app"
        return re.search(ours, self.command) is not None

    def mark_restarted(self) -> PlannedProcess:
        """Return the plan of its replacement, which counts the restart in the metrics."""
        return replace(self, environment={**self.environment, RESTARTED: self.kind})

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
        inherited = _inherit(settings, command)
        for number in range(1, _count(settings, kind) + 1):
            environment = {**inherited, **_describe_place(settings, redis_url, number)}
            if kind == WEB and number == 1:
                # Who reports what the supervisor itself uses: that has no connection to Redis.
                environment[SUPERVISOR_PID] = str(os.getpid())
            yield PlannedProcess(kind, number, command, {**environment, **(added or {})})


def plan_publishing(settings: Settings, redis_url: str) -> dict[str, str]:
    """Return the environment of the process that publishes the queue keys: that of the schedule."""
    return {**_inherit(settings, "python -m worker scheduler"), "REDIS_URL": redis_url}


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


def _inherit(settings: Settings, command: str) -> dict[str, str]:
    """Return the environment with those of our secrets that a command needs.

    A command that is not ours gets what this process was given, and may read `.env` itself.
    """
    needs = select_needs(command)
    if needs is None:
        inherited = dict(os.environ)
    else:
        inherited = build_environment(read_environment(), needs, settings)
    # uvicorn would start as many processes on one port, which our own settings know nothing of.
    inherited.pop("WEB_CONCURRENCY", None)
    return inherited


def _describe_place(settings: Settings, redis_url: str, number: int) -> dict[str, str]:
    return {
        "HOST": settings.host,
        "PORT": str(web_ports(settings)[0] + number - 1),
        "REDIS_URL": redis_url,
        # A provider knows one address only, so further copies of `web` name the first one's.
        "REDIRECT_URI": settings.redirect_uri,
        # Commands come from the virtual environment of this process, activated or not.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONUNBUFFERED": "1",
    }
