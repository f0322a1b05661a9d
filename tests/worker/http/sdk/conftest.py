"""The packages of the SDK, built as `make sdk` does; skipped where their tools cannot be had."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sdk.build import build_python, build_typescript


@pytest.fixture(scope="session")
def catfeeder_http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The package for Python."""
    folder = tmp_path_factory.mktemp("python")
    try:
        build_python(folder)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"the generator for Python cannot be installed: {error}")
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(folder))
        yield importlib.import_module("catfeeder_http")
        for name in [name for name in sys.modules if name.startswith("catfeeder_http")]:
            del sys.modules[name]


@pytest.fixture(scope="session")
def typescript_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the package for TypeScript, compiled."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    try:
        return build_typescript(tmp_path_factory.mktemp("typescript"))
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"the generator for TypeScript cannot be installed: {error}")
