"""File modes: which secrets other users of this machine can read, and what they could replace."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from environment import ROOT, names_file

_READABLE_BY_OTHERS: Final = stat.S_IRGRP | stat.S_IROTH
_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


def describe_open_files(
    env_file: Path, environment: Mapping[str, str | None], var_dir: Path
) -> list[str]:
    """Return a sentence for each file or folder of ours that is open to other users of the machine.

    These are `.env`, the files that a `<NAME>_FILE` names, and VAR_DIR.
    """
    named = {
        name: ROOT / Path(path).expanduser()
        for name, path in environment.items()
        if path and names_file(name)
    }
    found = [*_check_files({".env": env_file, **named}), *_check_folder(var_dir)]
    return sorted(found)


def _check_files(files: Mapping[str, Path]) -> Iterator[str]:
    for name, path in files.items():
        mode = _read_mode(path)
        if mode & (_READABLE_BY_OTHERS | _WRITABLE_BY_OTHERS):
            whose = "" if name == ".env" else f", the file of {name},"
            yield (
                f"{path}{whose} has mode {mode:o}, so other users of this machine can get at "
                f"secrets: `chmod 600 {path}`."
            )


def _check_folder(path: Path) -> Iterator[str]:
    mode = _read_mode(path)
    if mode & _WRITABLE_BY_OTHERS:
        yield (
            f"{path}, the folder of VAR_DIR, has mode {mode:o}, so other users of this machine can "
            f"replace what is in it: `chmod 700 {path}`."
        )


def _read_mode(path: Path) -> int:
    """Return the permission bits of what stands there; none where nothing does."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except (OSError, ValueError):
        return 0
