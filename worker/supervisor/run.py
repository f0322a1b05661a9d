"""`python -m worker run`: from an empty directory to a healthy service, and to a clean stop."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Final

import config
from actors.passwords.breaches.lists import open_breach_list
from config import (
    ENV_FILE,
    ROOT,
    Settings,
    describe_exposures,
    host_in_url,
    load_settings,
    read_environment,
)
from worker.process.fresh_start import take_environment
from worker.process.signals import list_stop_signals
from worker.supervisor.env_file import list_missing_secrets, write_missing_secrets
from worker.supervisor.forking import ForkServer, launch_fork_server
from worker.supervisor.output import LineHandler, line_printer
from worker.supervisor.procfile import read_procfile
from worker.supervisor.service import Service
from worker.supervisor.stores import refuse_new_secret_key

#: `make` and `timeout` repeat a signal that the terminal has sent already: that is no haste.
_ECHO_SECONDS: Final = 1.0
_NAME: Final = "service"
_EXAMPLE_JOB: Final = '{"password": "correct horse battery staple"}'


def run_service() -> int:
    """Run the service until a stop is requested; return the exit status.

    Raises:
        CatFeederError: A part cannot start; the message names the setting.
    """
    # Every file of every process is for our user alone.
    os.umask(0o077)
    # Read once for all processes, as the file stands now.
    toml_conf = config.TOML_CONF
    fork_server = launch_fork_server()
    take_environment()
    for number in list_stop_signals():
        signal.signal(number, _stop_at_once)
    settings, print_line = _prepare(toml_conf)
    commands = read_procfile(ROOT / "Procfile")
    try:
        asyncio.run(_run(settings, commands, print_line, fork_server))
    except asyncio.CancelledError:
        print_line(_NAME, "Ended at once, as asked: jobs in flight were cut off.")
        return 1
    print_line(_NAME, "Stopped.")
    return 0


def _stop_at_once(_number: int, _frame: FrameType | None) -> None:
    """End well on a signal that comes before there is anything to drain."""
    sys.exit(0)


def _prepare(toml_conf: Mapping[str, Any]) -> tuple[Settings, LineHandler]:
    """Check all settings, and give the two secrets a value on the first run."""
    environment = read_environment()
    settings = load_settings(environment, toml_conf)
    open_breach_list(settings.passwords)
    print_line = line_printer(settings.log_format)
    if "SECRET_KEY" in list_missing_secrets(environment):
        refuse_new_secret_key(settings)
    if count := os.environ.get("WEB_CONCURRENCY"):
        print_line(
            _NAME,
            f"WEB_CONCURRENCY={count} does not count: [Processes] web in config.toml says how many "
            "web processes there are, each with a port of its own.",
        )
    written = write_missing_secrets(ENV_FILE, environment)
    for name in written:
        print_line(
            _NAME, f"{name} was unset: a random one now stands in {_make_relative(ENV_FILE)}."
        )
    for sentence in describe_exposures(environment, settings):
        print_line(_NAME, sentence)
    return load_settings(read_environment(), toml_conf) if written else settings, print_line


async def _run(
    settings: Settings,
    commands: Mapping[str, str],
    print_line: LineHandler,
    fork_server: ForkServer | None,
) -> None:
    service = Service(settings, commands, print_line, fork_server)
    _stop_on_signals(service)
    try:
        await service.start()
        if not service.is_stopping:
            _announce(settings, print_line)
        await service.serve()
        await service.drain()
    finally:
        _on_signals(lambda: None)
        await service.end()


def _stop_on_signals(service: Service) -> None:
    """Drain at the first signal, and end at once at a later one."""
    running = asyncio.current_task()
    first_at: float | None = None

    def react() -> None:
        nonlocal first_at
        if first_at is None:
            first_at = time.monotonic()
            service.request_stop()
        elif running and time.monotonic() > first_at + _ECHO_SECONDS:
            running.cancel()

    _on_signals(react)


def _on_signals(react: Callable[[], object]) -> None:
    for number in list_stop_signals():
        asyncio.get_running_loop().add_signal_handler(number, react)


def _announce(settings: Settings, print_line: LineHandler) -> None:
    url = f"http://{host_in_url(settings.host)}:{settings.port}"
    place, key = _find_admin_key()
    example = (
        "curl -s -H 'Prefer: wait=5' -H 'Content-Type: application/json'"
        f' -H "Authorization: Bearer {key}"'
        f" -d '{_EXAMPLE_JOB}' {url}/v1/passwords/hash"
    )
    print_line(
        _NAME,
        f"Cat Feeder listens at {url} (console: {url}/console, API: {url}/docs). Ctrl-C stops it.",
    )
    print_line(
        _NAME, f"The key of the API is ADMIN_API_KEY, in {place}. Try it in another terminal:"
    )
    if settings.log_format == "json":
        print_line(_NAME, example)
    else:
        # Without a name before it, so that the whole line can be copied.
        print(f"\n{example}\n", flush=True)


def _find_admin_key() -> tuple[str, str]:
    """Return where the admin key stands, and what makes a shell read it from there."""
    if os.environ.get("ADMIN_API_KEY"):
        return "the environment", "$ADMIN_API_KEY"
    if os.environ.get("ADMIN_API_KEY_FILE"):
        return "the file of ADMIN_API_KEY_FILE", '$(cat "$ADMIN_API_KEY_FILE")'
    path = _make_relative(ENV_FILE)
    return path, f"$(grep ^ADMIN_API_KEY= {shlex.quote(path)} | cut -d= -f2-)"


def _make_relative(path: Path) -> str:
    return os.path.relpath(path)
