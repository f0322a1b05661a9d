"""Makefile: an environment that cannot start any more is made anew, and any other is left alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

from config import ROOT

_ANEW: Final = "is of another place or another Python: it is made anew."
#: A Python whose environments share the pip of ours, which takes seconds to unpack.
_PYTHON: Final = f"""#!/bin/sh
[ "$2" = venv ] && set -- -m venv --without-pip "$3"
exec {sys.executable} "$@"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Make a checkout without packages, whose service prints where its Python is."""
    path = tmp_path / "checkout"
    (path / "worker").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", path)
    (path / "worker" / "__main__.py").write_text("import sys\nprint(sys.prefix)\n")
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-bench.lock"):
        (path / name).write_text("# none\n")
    python = tmp_path / "python"
    python.write_text(_PYTHON)
    python.chmod(0o755)
    pip = find_spec("pip")
    assert pip is not None
    assert pip.origin is not None
    (tmp_path / "pip").symlink_to(Path(pip.origin).parent)
    return path


def make_run(checkout: Path) -> str:
    """Run `make run` to its end and return what it printed."""
    ended = subprocess.run(
        ["make", "run", f"PYTHON={checkout.parent / 'python'}"],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout.parent)},
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    return ended.stdout


def test_an_environment_that_cannot_start_is_made_anew(checkout: Path) -> None:
    # Given a service that ran once
    assert _ANEW not in make_run(checkout)
    assert make_run(checkout) == f"{checkout}/.venv\n"

    # When its folder was moved, then the environment is made anew, once
    moved = checkout.rename(checkout.with_name("moved"))
    assert _ANEW in make_run(moved)
    assert f"{moved}/.venv" in (moved / ".venv" / "bin" / "activate").read_text()
    assert make_run(moved) == f"{moved}/.venv\n"

    # And so it is when its Python was upgraded, or is gone
    library = next((moved / ".venv" / "lib").glob("python3*"))
    library.rename(library.with_name("python3.1"))
    assert _ANEW in make_run(moved)
    python = moved / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/no/such/python")
    assert _ANEW in make_run(moved)


def test_a_checkout_that_cannot_be_written_is_told_so(checkout: Path) -> None:
    # What root cannot write either
    (checkout / ".venv-failed").symlink_to("/no/such/folder/file")

    ended = subprocess.run(
        ["make", "run", f"PYTHON={checkout.parent / 'python'}"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )

    assert ended.returncode == 2
    assert f"The folder {checkout} cannot be written to" in ended.stderr


def test_an_environment_elsewhere_is_left_to_its_owner(checkout: Path) -> None:
    # Given a link to an environment that another folder shares
    assert make_run(checkout)
    other = checkout.with_name("other")
    shutil.copytree(checkout, other, ignore=shutil.ignore_patterns(".venv"))
    (other / ".venv").symlink_to(checkout / ".venv")

    assert _ANEW not in make_run(other)
    assert (other / ".venv").is_symlink()
