"""Write-ahead files: sealed answers of providers, kept on disk while the database is away."""

from __future__ import annotations

import errno
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from config import current_settings

_LOG = logging.getLogger(__name__)
_NAME: Final = re.compile(r"([0-9a-f-]{36})\.([0-9]{1,9})")

#: What was logged by this process already.
_REPORTED: Final[set[tuple[str, Path]]] = set()


def _get_folder() -> Path:
    return current_settings().var_dir / "answers"


def _build_path(connection_id: str, version: int) -> Path:
    return _get_folder() / f"{connection_id}.{version}"


def write_answer_file(connection_id: str, version: int, sealed: bytes) -> None:
    """Write a sealed answer to a file that survives this process, and a loss of power.

    Raises:
        OSError: The disk is full, or VAR_DIR is not writable.
    """
    path = _build_path(connection_id, version)
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
    for name in _list_names():
        if found := _NAME.fullmatch(name):
            sealed = None
            with _report_failure("read", _get_folder() / name):
                sealed = _read(_get_folder() / name)
            if sealed is not None:
                yield found[1], int(found[2]), sealed


def _read(path: Path) -> bytes:
    if not path.is_file() and path.exists():
        # Reading a pipe would wait for ever.
        raise OSError(errno.EINVAL, "it is no regular file")
    return path.read_bytes()


def _list_names() -> list[str]:
    names: list[str] = []
    with _report_failure("list", _get_folder()):
        names += [entry.name for entry in os.scandir(_get_folder())]
    return names


@contextmanager
def _report_failure(verb: str, path: Path) -> Iterator[None]:
    """Log an operating system's error once a path: it must not keep other files from their use.

    A path that is missing is no error: another process of this machine may have erased it.
    """
    try:
        yield
    except FileNotFoundError:
        return
    except OSError as error:
        if (verb, path) not in _REPORTED:
            _REPORTED.add((verb, path))
            text = "This process cannot %s %s, which is of its VAR_DIR: %s. Renewals go on without."
            _LOG.error(text, verb, path, error.strerror)


def erase_answer_file(connection_id: str, version: int) -> None:
    """Delete the file of an answer that is in the database by now; log it where that fails."""
    path = _build_path(connection_id, version)
    with _report_failure("erase", path):
        path.unlink(missing_ok=True)
