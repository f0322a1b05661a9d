"""Process title: what `ps` shows of a process that was forked, as if it had been started anew."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

#: What a command has to be started with as its last argument, so that any title has room.
ROOM: Final = "-" * 255

_OWN: Final = Path("/proc/self")
#: proc(5): `arg_start` and `arg_end` of /proc/self/stat, counted from behind the program's name.
_ARGUMENTS: Final = slice(45, 47)


def set_title(title: str) -> None:
    """Write a title over the arguments of this process; where that cannot be done, do nothing.

    Linux shows the text up to its NUL where the last byte is no NUL, as setproctitle(3) leaves it.
    """
    with contextlib.suppress(OSError, ValueError):
        stat = (_OWN / "stat").read_text()
        start, end = map(int, stat.rpartition(")")[2].split()[_ARGUMENTS])
        room = end - start - 2
        text = title.encode()[:room]
        with (_OWN / "mem").open("r+b", buffering=0) as memory:
            memory.seek(start)
            memory.write(text + bytes(room + 1 - len(text)) + b"-")
