"""Core time of a database server, whose processes come and go with its connections."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psutil

from benchmarks.measuring.stack import core_seconds


def server_core_seconds(url: str) -> float:
    """Return how long the PostgreSQL whose folder the URL names has kept a core busy so far.

    It is 0 of SQLite, which works within the service's processes.
    """
    spent = 0.0
    for process in _server_at(url):
        with contextlib.suppress(psutil.Error):
            spent += core_seconds(process)
    return spent


def _server_at(url: str) -> Iterator[psutil.Process]:
    folder = url.partition("?host=")[2]
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if folder and process.name() == "postgres" and folder in process.cmdline():
                yield process
                yield from process.children(recursive=True)
                return
