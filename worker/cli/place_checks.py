"""Checks of this machine for `config check`: files, VAR_DIR, and the ports of `web`."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import Final

from config import (
    ENV_FILE,
    ConfigurationError,
    Settings,
    describe_open_files,
    read_environment,
)
from worker.errors import AddressTaken
from worker.supervisor.addresses import check_address
from worker.supervisor.health import read_health_status
from worker.supervisor.plan import web_ports

_ANSWERS: Final = (200, 503)


def try_files(settings: Settings) -> str:
    """Return that no other user of this machine gets at a secret.

    Raises:
        ConfigurationError: One does; the sentence names the file and the remedy.
    """
    open_files = describe_open_files(ENV_FILE, read_environment(), settings.var_dir)
    if open_files:
        raise ConfigurationError(" ".join(open_files))
    return "No file with a secret is open to other users of this machine."


def try_var_dir(settings: Settings) -> str:
    """Return that the service can write where it keeps its files.

    Raises:
        ConfigurationError: It cannot.
    """
    folder = settings.var_dir
    if not folder.exists():
        parent = next(filter(Path.exists, folder.parents))
        if not (parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)):
            raise ConfigurationError(f"{folder} is not there, and cannot be made: set VAR_DIR.")
        return f"{folder} is not there; the first start makes it."
    try:
        with tempfile.TemporaryFile(dir=folder):
            return f"{folder} can be written to."
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be written to ({error.strerror}): set VAR_DIR, or give it to "
            "the user that the service runs as."
        ) from None


def try_ports(settings: Settings) -> str:
    """Return that each port of `web` is free, or is a web process's of ours already.

    Raises:
        AddressTaken, ConfigurationError: One is neither.
    """
    return ", ".join(_describe_port(settings, port) for port in web_ports(settings))


def _describe_port(settings: Settings, port: int) -> str:
    try:
        check_address(settings.host, port)
    except AddressTaken:
        hosts = settings.server.trusted_hosts
        if asyncio.run(read_health_status(settings.host, port, hosts)) not in _ANSWERS:
            raise
        return f"{settings.host}:{port} has a service that answers /health"
    return f"{settings.host}:{port} is free"
