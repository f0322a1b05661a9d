"""Which tests there are, for the pages that name them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from config import ROOT

#: A file, and a test in it with or without its parameters.
NamedTest = tuple[Path, str]


def missing(named: set[NamedTest], session: pytest.Session) -> set[NamedTest]:
    """Return those of the named tests that there are not.

    A run of all tests has collected them itself; for a run of some, the others are looked up.
    """
    ids = (item.nodeid for item in session.items)
    unseen = named - _of_ids(ids)
    return unseen - _collected({path for path, _ in unseen}) if unseen else set()


def _collected(paths: set[Path]) -> set[NamedTest]:
    quiet = ("--collect-only", "-q", "--no-header")
    command = [sys.executable, "-m", "pytest", *quiet, *map(str, sorted(paths))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return _of_ids(done.stdout.splitlines())


def _of_ids(ids: Iterable[str]) -> set[NamedTest]:
    found = set()
    for line in ids:
        path, _, test = line.partition("::")
        if test:
            found |= {(ROOT / path, test), (ROOT / path, test.partition("[")[0])}
    return found
