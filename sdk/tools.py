"""Tools of the SDK's build, from lock files, in the virtual environment: once for each lock."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

SDK: Final = Path(__file__).parent
PIP: Final = (sys.executable, "-m", "pip")
NPM_CI: Final = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
_PIP_INSTALL: Final = (
    *(*PIP, "install", "-qq", "--disable-pip-version-check", "--only-binary", ":all:"),
    *("--require-hashes", "-r", "generator.lock", "--target", "."),
)
_INSTALL_SECONDS: Final = 300


def install_python_tools() -> Path:
    """Return a folder with the generator for Python."""
    return _install("python", "generator.lock", _PIP_INSTALL)


def install_typescript_tools() -> Path:
    """Return a folder whose `node_modules` has the generator and compiler for TypeScript."""
    return _install("typescript", "package-lock.json", NPM_CI)


def _install(language: str, lock: str, command: Iterable[str]) -> Path:
    source = SDK / language
    digest = hashlib.sha256((source / lock).read_bytes()).hexdigest()[:16]
    wanted = Path(sys.prefix) / f"sdk-{language}-{digest}"
    if not wanted.exists():
        with tempfile.TemporaryDirectory(dir=wanted.parent) as name:
            made = Path(name) / "tools"
            made.mkdir()
            for pattern in ("*.lock", "package*.json", ".npmrc"):
                for file in source.glob(pattern):
                    shutil.copy(file, made)
            run(command, made)
            if not wanted.exists():
                made.rename(wanted)
    return wanted


def run(command: Iterable[str], folder: Path, variables: dict[str, str] | None = None) -> None:
    """Run a command in a folder.

    Raises:
        subprocess.CalledProcessError: It failed; what it printed is in it.
    """
    subprocess.run(
        [*command],
        cwd=folder,
        check=True,
        capture_output=True,
        env={**os.environ, **(variables or {})},
        timeout=_INSTALL_SECONDS,
    )
