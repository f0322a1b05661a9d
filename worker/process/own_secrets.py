"""Least privilege: which secrets a process of each kind holds, and its start without the others.

A supervisor starts each process with its own secrets alone. Under another process manager all
share an environment or a `.env`: a performing process then starts once more in its own place
(`execve`), so that neither its environment nor its memory has held the rest.
"""

from __future__ import annotations

import itertools
import os
import re
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Final

from catfeeder.messages import CONTROL, OAUTH, PASSWORDS, RENEWALS
from config import (
    IGNORE_ENV_FILE,
    Settings,
    is_secret_variable,
    load_settings,
    read_environment,
)
from worker.queue.roots import export_queue_roots

_STORED: Final = frozenset({"SECRET_KEY", "SECRET_KEY_PREVIOUS", "DATABASE_URL"})
#: Stands for the variables of providers' credentials.
_CREDENTIALS: Final = "CREDENTIALS"
_PROXY: Final = "OAUTH_PROXY_URL"
_BROKER: Final = "REDIS_URL"

_PEPPERS: Final = frozenset({"PASSWORD_PEPPER", "PASSWORD_PEPPER_PREVIOUS"})

#: What a process that performs each queue needs. The table of docs/security.md says the same.
_NEEDS: Final[Mapping[str, frozenset[str]]] = {
    PASSWORDS: _PEPPERS | {_BROKER, "QUEUE_KEYS"},
    OAUTH: _STORED | {_BROKER, _PROXY, _CREDENTIALS},
    RENEWALS: _STORED | {_BROKER, _PROXY, _CREDENTIALS},
    CONTROL: _STORED | {_BROKER, _PROXY},
}
_WEB: Final = _STORED | {_BROKER, "ADMIN_API_KEY", _CREDENTIALS}

_PERFORM: Final = re.compile(r"\bworker perform\b.*--queues((?: +[a-z]+)+)")
_SCHEDULE: Final = "--schedule"


def select_needs(command: str) -> frozenset[str] | None:
    """Return what a command of the Procfile needs; None for one that is not ours."""
    if found := _PERFORM.search(command):
        return _needs_of(found[1].split(), schedules=_SCHEDULE in command)
    if "worker scheduler" in command:
        return _NEEDS[CONTROL]
    # An older Procfile has uvicorn's own command.
    is_web = re.search(r"\bworker web\b|worker\.http\.app", command)
    return _WEB if is_web else None


def _needs_of(queues: Collection[str], *, schedules: bool) -> frozenset[str]:
    needs = [_NEEDS.get(queue, frozenset()) for queue in queues]
    return frozenset().union(*needs, _NEEDS[CONTROL] if schedules else ())


def build_environment(
    environment: Mapping[str, str | None], needs: frozenset[str], settings: Settings
) -> dict[str, str]:
    """Return an environment without the secrets that are not needed, which is read without `.env`.

    A process that needs no more of SECRET_KEY than the keys of the queue gets those.

    Raises:
        ConfigurationError: SECRET_KEY is needed, and not set.
    """
    if settings.passwords.breach_range_url and needs >= _PEPPERS:
        needs |= {_PROXY}
    kept = {name: value for name, value in environment.items() if value and _is_kept(name, needs)}
    if "QUEUE_KEYS" in needs and "SECRET_KEY" not in needs:
        kept["QUEUE_KEYS"] = export_queue_roots(settings)
    return {**kept, IGNORE_ENV_FILE: "1"}


def _is_kept(name: str, needs: frozenset[str]) -> bool:
    plain = name.removesuffix("_FILE")
    if not is_secret_variable(plain):
        return True
    return plain in needs or (_CREDENTIALS in needs and plain not in _NAMED)


#: The secrets that are no provider's.
_NAMED: Final = _STORED | _PEPPERS | {"ADMIN_API_KEY", "QUEUE_KEYS", _BROKER, _PROXY}


def drop_other_secrets(
    queues: Collection[str],
    *,
    schedules: bool,
    check: Callable[[Settings], None] | None = None,
) -> None:
    """Start this process anew in its place, unless it holds the secrets of its queues alone.

    One that `schedules` needs those of the schedule as well. `check` is made before, with all the
    settings. Only `python -m worker` does so: another program is not ours to start anew.

    Raises:
        ConfigurationError: A setting cannot be used.
        CatFeederError: As `check`.
    """
    if os.environ.get(IGNORE_ENV_FILE) or not _is_command():
        return
    environment = read_environment()
    settings = load_settings(environment)
    if check is not None:
        check(settings)
    chosen = build_environment(environment, _needs_of(queues, schedules=schedules), settings)
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], chosen)  # noqa: S606


def _is_command() -> bool:
    return ("-m", "worker") in itertools.pairwise(sys.orig_argv)
