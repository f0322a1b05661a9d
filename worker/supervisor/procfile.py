"""Procfile: reads the name and the command of each process."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from worker.errors import ProcfileInvalid

_LINE: Final = re.compile(r"(?P<name>[A-Za-z0-9_-]+):\s*(?P<command>\S.*)")


def read_procfile(path: Path) -> dict[str, str]:
    """Return the commands by name, in the file's order; blank lines and `#` comments are skipped.

    Raises:
        ProcfileInvalid: The file is missing or empty, or a line is wrong or there twice.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise ProcfileInvalid(f"{path.name} is not text in UTF-8.") from None
    except OSError as error:
        raise ProcfileInvalid(f"{path.name} cannot be read: {error.strerror}.") from None
    commands: dict[str, str] = {}
    for number, line in enumerate(map(str.strip, lines), start=1):
        if line and not line.startswith("#"):
            _add(commands, line, f"{path.name}, line {number}:")
    if not commands:
        raise ProcfileInvalid(f"{path.name} names no process.")
    return commands


def _add(commands: dict[str, str], line: str, where: str) -> None:
    parts = _LINE.fullmatch(line)
    if parts is None:
        raise ProcfileInvalid(f"{where} this is not `name: command`.")
    if parts["name"] in commands:
        raise ProcfileInvalid(f"{where} {parts['name']} is there twice.")
    commands[parts["name"]] = parts["command"]
