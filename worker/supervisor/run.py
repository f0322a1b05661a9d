"""`python -m worker run`: from an empty directory to a healthy service, and to a clean stop."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from config import ENV_FILE, ROOT, Settings, load_settings, read_environment, read_toml
from worker.supervisor.env_file import write_missing_secrets
from worker.supervisor.health import reachable_host
from worker.supervisor.procfile import read_procfile
from worker.supervisor.service import Service

#: A closed terminal (SIGHUP) is no reason to leave processes behind.
_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: `make` and `timeout` pass on a signal that we had from the terminal already: that is no haste.
_ECHO_SECONDS: Final = 1.0
_EXAMPLE_JOB: Final = '{"password": "correct horse battery staple"}'


def run_service() -> int:
    """Run the service until it is told to stop; return the exit status.

    Raises:
        CatFeederError: A part cannot start; the message names the setting.
        ConfigurationError: So too.
    """
    # Whatever any of the processes writes is for our user alone.
    os.umask(0o077)
    settings = _prepare()
    commands = read_procfile(ROOT / "Procfile")
    try:
        asyncio.run(_live(settings, commands))
    except asyncio.CancelledError:
        say("service", "Ended at once, as asked: jobs in hand were cut off.")
        return 1
    say("service", "Stopped.")
    return 0


def say(name: str, line: str) -> None:
    """Print a line under the name of whose it is; who has closed our output misses it."""
    try:
        print(f"{name:<11} | {line}", flush=True)
    except OSError:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115


def _prepare() -> Settings:
    """Check what is set, and give the two secrets a value on the first run."""
    toml_conf = read_toml()
    load_settings(read_environment(), toml_conf)
    for name in write_missing_secrets(ENV_FILE, read_environment()):
        say("service", f"{name} was unset: a random one now stands in {_short(ENV_FILE)}.")
    return load_settings(read_environment(), toml_conf)


async def _live(settings: Settings, commands: dict[str, str]) -> None:
    service = Service(settings, commands, say)
    _stop_on_signals(service)
    try:
        await service.start()
        if not service.is_stopping:
            _announce(settings)
        await service.serve()
        await service.drain()
    finally:
        _on_signals(lambda: None)
        await service.end()


def _stop_on_signals(service: Service) -> None:
    """Stop with care at the first signal, and at once at a later one."""
    life = asyncio.current_task()
    first_at: float | None = None

    def react() -> None:
        nonlocal first_at
        if first_at is None:
            first_at = time.monotonic()
            service.stop()
        elif life and time.monotonic() > first_at + _ECHO_SECONDS:
            life.cancel()

    _on_signals(react)


def _on_signals(react: Callable[[], object]) -> None:
    for number in _STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, react)


def _announce(settings: Settings) -> None:
    host = reachable_host(settings.host)
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    place, key = _admin_key()
    say("service", f"Cat Feeder listens at {url} (its pages: {url}/docs). Ctrl-C stops it.")
    say("service", f"The key of the API is ADMIN_API_KEY, in {place}. Try it in another terminal:")
    print(
        f"\ncurl -s -H 'Prefer: wait=5' -H 'Content-Type: application/json'"
        f' -H "Authorization: Bearer {key}"'
        f" -d '{_EXAMPLE_JOB}' {url}/v1/passwords/hash\n",
        flush=True,
    )


def _admin_key() -> tuple[str, str]:
    """Return where the admin key stands, and what makes a shell read it from there."""
    if os.environ.get("ADMIN_API_KEY"):
        return "the environment", "$ADMIN_API_KEY"
    if os.environ.get("ADMIN_API_KEY_FILE"):
        return "the file of ADMIN_API_KEY_FILE", '$(cat "$ADMIN_API_KEY_FILE")'
    path = _short(ENV_FILE)
    return path, f"$(grep ^ADMIN_API_KEY= {shlex.quote(path)} | cut -d= -f2-)"


def _short(path: Path) -> str:
    return os.path.relpath(path)
