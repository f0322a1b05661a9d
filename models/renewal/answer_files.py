"""Write-ahead files: sealed answers of providers, kept on disk while the database is away."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from config import current_settings

_NAME: Final = re.compile(r"([0-9a-f-]{36})\.([0-9]{1,9})")


def _folder() -> Path:
    return current_settings().var_dir / "answers"


def _path(connection_id: str, version: int) -> Path:
    return _folder() / f"{connection_id}.{version}"


def write_answer_file(connection_id: str, version: int, sealed: bytes) -> None:
    """Write a sealed answer to a file that survives this process, and a loss of power.

    Raises:
        OSError: The disk is full, or VAR_DIR is not writable.
    """
    path = _path(connection_id, version)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Another process that reads the folder meanwhile must not find half an answer.
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(sealed)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_answer_files() -> Iterator[tuple[str, int, bytes]]:
    """Yield id and version of the connection, and the sealed answer, of each file here."""
    try:
        names = [entry.name for entry in os.scandir(_folder())]
    except FileNotFoundError:
        return
    for name in names:
        if found := _NAME.fullmatch(name):
            # Another process of this machine may have imported and erased it since.
            with suppress(FileNotFoundError):
                yield found[1], int(found[2]), (_folder() / name).read_bytes()


def erase_answer_file(connection_id: str, version: int) -> None:
    """Delete the file of an answer that is in the database by now."""
    _path(connection_id, version).unlink(missing_ok=True)
