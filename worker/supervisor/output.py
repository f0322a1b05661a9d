"""Output of `make run`: every line under its process's name, as text or, by LOG_FORMAT, as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

#: Called with the name of a process and a line that it printed.
LineHandler = Callable[[str, str], None]


def line_printer(log_format: str) -> LineHandler:
    """Return what prints a line of a process in the format, `text` or `json`, at once."""
    format_line = to_json_line if log_format == "json" else _to_text_line

    def print_line(process: str, line: str) -> None:
        try:
            print(format_line(process, line), flush=True)
        except OSError:
            # The program that read our output has ended; the service goes on without it.
            sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115

    return print_line


def to_json_line(process: str, line: str) -> str:
    """Return a line that a process printed as a JSON object with the field `process`.

    A line that is no JSON object, such as one of an interpreter's traceback, becomes its `message`.
    """
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        fields = {"timestamp": datetime.now(UTC).isoformat(), "message": line}
    return json.dumps({**fields, "process": process})


def _to_text_line(process: str, line: str) -> str:
    return f"{process:<11} | {line}"
