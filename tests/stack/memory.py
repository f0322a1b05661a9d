"""What a running process holds: its environment, and the text in its memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

_PIECE = 16 * 2**20


def find_in_process(pid: int, texts: dict[str, str]) -> set[str]:
    """Return the names of the texts that a process has in its environment or its memory."""
    parts = [Path(f"/proc/{pid}/environ").read_bytes(), *read_memory(pid)]
    return {name for name, text in texts.items() if any(text.encode() in part for part in parts)}


def read_memory(pid: int) -> Iterator[bytes]:
    """Yield what each writable map of a process holds, piece by piece."""
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with Path(f"/proc/{pid}/mem").open("rb") as memory:
        for line in maps:
            place, modes, *_ = line.split()
            if not modes.startswith("rw"):
                continue
            start, end = (int(number, 16) for number in place.split("-"))
            for at in range(start, end, _PIECE):
                # A map may be gone by now, and some cannot be read.
                with contextlib.suppress(OSError, ValueError, OverflowError):
                    memory.seek(at)
                    yield memory.read(min(_PIECE, end - at))
