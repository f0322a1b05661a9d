"""The packages of the SDK as apps install them; skipped where their tools cannot be had.

They are built once for each state of the document and the sources, and kept under build/.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

import catfeeder
from config import ROOT
from sdk.build import build_tarball, build_wheel
from sdk.tools import PIP, SDK, install_python_tools, install_typescript_tools, run
from worker.http.app import describe_api

_KEPT: Final = ROOT / "build" / "sdk"
_INSTALL: Final = (*PIP, "install", "-qq", "--disable-pip-version-check", "--no-deps", "--target")
#: What the example is written with; the package brings its own dependencies.
_FRAMEWORKS: Final = ("express", "express-session", "lru-cache")


@pytest.fixture(scope="session")
def catfeeder_http(python_folder: Path) -> Iterator[Any]:
    """The package for Python."""
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(python_folder))
        yield importlib.import_module("catfeeder_http")
        for name in [name for name in sys.modules if name.startswith("catfeeder_http")]:
            del sys.modules[name]


@pytest.fixture(scope="session")
def python_folder() -> Path:
    """Where the wheel is installed."""
    _skip_without(install_python_tools)
    return _make_once("python", _install_wheel)


@pytest.fixture(scope="session")
def node_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an app of Node that has the package among its `node_modules`."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    _skip_without(install_typescript_tools)
    folder = tmp_path_factory.mktemp("node")
    (folder / "node_modules").symlink_to(_make_once("node", _install_tarball) / "node_modules")
    return folder


def _skip_without(install: Callable[[], Path]) -> None:
    """Skip where a registry is away; a build that fails fails the test."""
    try:
        install()
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"the tools of the build cannot be installed: {error}")


def _install_wheel(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as dist:
        run([*_INSTALL, str(folder), str(build_wheel(Path(dist)))], folder)


def _install_tarball(folder: Path) -> None:
    modules = folder / "node_modules"
    with tempfile.TemporaryDirectory() as dist, tarfile.open(build_tarball(Path(dist))) as packed:
        packed.extractall(modules, filter="data")
    (modules / "package").rename(modules / "catfeeder-http")
    manifest = json.loads((modules / "catfeeder-http" / "package.json").read_text())
    tools = install_typescript_tools() / "node_modules"
    for name in (*manifest["dependencies"], *_FRAMEWORKS):
        (modules / name).symlink_to(tools / name)


def _make_once(name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder that an earlier run, or another process of this one, has made."""
    _KEPT.mkdir(parents=True, exist_ok=True)
    made = _KEPT / f"{name}-{_compute_digest()}"
    with (_KEPT / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            for old in _KEPT.glob(f"{name}-*"):
                shutil.rmtree(old)
            with tempfile.TemporaryDirectory(dir=_KEPT) as folder:
                (Path(folder) / name).mkdir()
                make(Path(folder) / name)
                (Path(folder) / name).rename(made)
    return made


@cache
def _compute_digest() -> str:
    parts = [json.dumps(describe_api()).encode(), catfeeder.__version__.encode()]
    files = [it for it in SDK.rglob("*") if it.is_file() and "__pycache__" not in it.parts]
    parts += [file.read_bytes() for file in (*sorted(files), ROOT / "LICENSE", Path(__file__))]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[
        :16
    ]
