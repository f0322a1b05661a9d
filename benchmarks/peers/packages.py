"""Packages of npm that a peer needs, installed once for each lock file beside Python's."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

from benchmarks.measuring.caretaker import ensure_caretaker

_FOLDER: Final = Path(__file__).with_name("npm")
_LOCK: Final = _FOLDER / "package-lock.json"
#: The driver of SQLite is compiled where no build of it can be fetched.
_INSTALL_SECONDS: Final = 600


@cache
def install_packages() -> Path | None:
    """Return the folder that has them, or None where Node or its packages cannot be had."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return None
    digest = hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:16]
    wanted = Path(sys.prefix) / f"npm-{digest}"
    if not wanted.exists() and not _install(wanted):
        return None
    return wanted


def _install(wanted: Path) -> bool:
    with tempfile.TemporaryDirectory(dir=wanted.parent) as name:
        folder = Path(name) / "packages"
        shutil.copytree(_FOLDER, folder)
        command = ["npm", "ci", "--no-audit", "--no-fund"]
        try:
            subprocess.run(
                command, cwd=folder, check=True, capture_output=True, timeout=_INSTALL_SECONDS
            )
        except (OSError, subprocess.SubprocessError) as error:
            print(f"The packages of npm cannot be installed: {error}", flush=True)
            return False
        folder.rename(wanted)
    return True


@contextmanager
def running_script(name: str, settings: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Run a script of ours by Node; yield its process id, and what it prints once it listens."""
    packages = install_packages()
    if packages is None:
        raise RuntimeError("Node or its packages are not there")
    ensure_caretaker()
    # Node looks for packages beside the file that imports them.
    script = shutil.copy(_FOLDER / name, packages / name)
    process = subprocess.Popen(
        [shutil.which("node") or "node", str(script), json.dumps(settings)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None  # noqa: S101
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{name} ended at once")
        yield process.pid, json.loads(line)
    finally:
        process.terminate()
        process.wait()
