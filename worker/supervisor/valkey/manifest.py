"""Manifest of the append-only files: written anew where a power failure has left none to read.

Without it Valkey begins with no data, and says nothing of the files that hold some.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

_FOLDER: Final = "appendonlydir"
_NAME: Final = "appendonly.aof.manifest"
_LINE: Final = re.compile(r"file \S+ seq \d+ type [bhi]( startoffset \d+)?( endoffset \d+)?")
_DATA: Final = re.compile(r"appendonly\.aof\.(?P<number>\d+)\.(?P<kind>base|incr)\.(aof|rdb)")


def is_manifest_readable(directory: Path) -> bool:
    """Return whether the manifest is one, or nothing is there that it should list."""
    folder = directory / _FOLDER
    try:
        lines = (folder / _NAME).read_text().splitlines()
    except FileNotFoundError:
        return not any(path.stat().st_size for _, _, path in _list_data(folder))
    except (UnicodeDecodeError, NotADirectoryError):
        return False
    return bool(lines) and all(map(_LINE.fullmatch, lines))


def rebuild_manifest(directory: Path) -> bool:
    """List the files that are there; false where it is unknown which of them belong together.

    A rewrite leaves its old base behind for a moment, with files of changes that the new one has.
    """
    folder = directory / _FOLDER
    found = _list_data(folder)
    if [kind for kind, _, _ in found].count("base") != 1:
        return False
    lines = (f"file {path.name} seq {number} type {kind[0]}\n" for kind, number, path in found)
    new = folder / f"temp-{_NAME}"
    with new.open("w") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / _NAME)
    return True


def _list_data(folder: Path) -> list[tuple[str, int, Path]]:
    """Return the kind and number of each file of data, in the order in which they are read."""
    matches = ((path, _DATA.fullmatch(path.name)) for path in folder.glob("*"))
    return sorted((match["kind"], int(match["number"]), path) for path, match in matches if match)
