"""Process title: what `ps` shows of a process that was forked, as if it had been started anew.

`fresh_start` loads this: so neither `pathlib` nor `typing`.
"""

from __future__ import annotations

import contextlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: What a command has to be started with as its last argument, so that any title has room.
ROOM: Final = "-" * 255

_OWN: Final = "/proc/self"
#: proc(5): `arg_start` and `arg_end` of /proc/self/stat, counted from behind the program's name.
_ARGUMENTS: Final = slice(45, 47)


def set_title(title: str) -> None:
    """Write a title over the arguments of this process; where that cannot be done, do nothing.

    Linux shows the text up to its NUL where the last byte is no NUL, as setproctitle(3) leaves it.
    """
    with contextlib.suppress(OSError, ValueError):
        with open(f"{_OWN}/stat") as file:  # noqa: PTH123
            stat = file.read()
        start, end = map(int, stat.rpartition(")")[2].split()[_ARGUMENTS])
        room = end - start - 2
        text = title.encode()[:room]
        with open(f"{_OWN}/mem", "r+b", buffering=0) as memory:  # noqa: PTH123
            memory.seek(start)
            memory.write(text + bytes(room + 1 - len(text)) + b"-")
