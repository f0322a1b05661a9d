"""`python -m tests.mutants`: takes each defence out, and expects its tests to notice."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any, Final

from config import ROOT

LIST: Final = Path(__file__).with_name("defences.toml")
#: pytest's exit status where tests failed, and not where they could not be collected.
_TESTS_FAILED: Final = 1


def read_mutants() -> list[dict[str, Any]]:
    """Return the mutants: name, file, old and new text, and the tests that must notice."""
    found: list[dict[str, Any]] = tomllib.loads(LIST.read_text())["mutant"]
    return found


def apply_mutant(mutant: dict[str, Any], root: Path) -> str:
    """Change the file in `root`, and return what it held.

    Raises:
        ValueError: The text to be replaced does not stand there exactly once.
    """
    path = root / str(mutant["file"])
    text = path.read_text()
    if text.count(mutant["old"]) != 1:
        raise ValueError(f"{mutant['file']} holds the text of {mutant['name']!r} not once")
    path.write_text(text.replace(mutant["old"], mutant["new"]))
    return text


def _run_tests(root: Path, tests: list[str]) -> bool:
    """Return whether a test failed; print the end of what pytest says where none did."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if ended.returncode != _TESTS_FAILED:
        print(f"pytest ended with {ended.returncode}: {ended.stdout[-300:]}{ended.stderr[-300:]}")
    return ended.returncode == _TESTS_FAILED


def _try_mutant(mutant: dict[str, Any], root: Path) -> bool:
    before = apply_mutant(mutant, root)
    try:
        return _run_tests(root, mutant["tests"])
    finally:
        (root / mutant["file"]).write_text(before)


def main(wanted: list[str]) -> int:
    """Try the mutants whose names hold one of the words, or all; return 1 if one survives."""
    survivors = 0
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "code"
        leave_out = shutil.ignore_patterns(".git", ".venv", "var", ".env", "*_cache", "__pycache__")
        shutil.copytree(ROOT, root, ignore=leave_out)
        for mutant in read_mutants():
            if wanted and not any(word in mutant["name"] for word in wanted):
                continue
            is_noticed = _try_mutant(mutant, root)
            survivors += not is_noticed
            print(f"{'noticed ' if is_noticed else 'SURVIVES'}  {mutant['name']}", flush=True)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
