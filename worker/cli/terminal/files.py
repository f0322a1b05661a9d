"""Files that commands write: for their owner alone, and under their name once they are whole."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from worker.errors import FileThere


@contextmanager
def open_whole(path: Path, *, may_overwrite: bool = False) -> Iterator[BinaryIO]:
    """Open a file that has its name, and mode 600, once the block has ended well.

    It is written under another name beside it, which is gone whatever ends the block.

    Raises:
        FileThere: There is something of that name, and it may not be overwritten.
        OSError: The file cannot be written; `filename` is the path, or its folder.
    """
    _check_target(path, may_overwrite=may_overwrite)
    try:
        descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        _check_target(path, may_overwrite=may_overwrite)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _check_target(path: Path, *, may_overwrite: bool) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    # A link that leads nowhere would be replaced as well.
    if os.path.lexists(path) and not may_overwrite:
        raise FileThere.at(path)
