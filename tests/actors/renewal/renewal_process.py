"""A process that renews connections and is killed at a step of it that the test names.

It runs as `python -m tests.actors.renewal.renewal_process SETTINGS`, reads a command a line, and
performs each in a child of its own, which has nothing to load any more.
"""

from __future__ import annotations

import http.client
import importlib
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import config


class Steps:
    """Counts the writes and calls of a process, and kills it before one of them."""

    def __init__(self, log: Path, last: int, behind: tuple[str, ...]) -> None:
        """Take where to write what is done, and which step is never done.

        That is the one of the number `last`, or the first one behind all those of `behind`.
        """
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._last = last
        self._behind = list(behind)
        self._count = 0

    def watch(self, owner: Any, name: str, describe: Callable[..., str]) -> None:
        """Make each call of a function a step."""
        function = getattr(owner, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            self._come_to(describe(*args))
            return function(*args, **kwargs)

        setattr(owner, name, watched)

    def _come_to(self, what: str) -> None:
        self._count += 1
        os.write(self._log, f"{what}\n".encode())
        if self._count == self._last:
            os.kill(os.getpid(), signal.SIGKILL)
        if [what] == self._behind[:1]:
            self._behind.pop(0)
            if not self._behind:
                self._last = self._count + 1


def _renew(command: dict[str, Any]) -> None:
    # Which client of a database is loaded is decided by the settings.
    from actors.renewal.renew import renew_connections
    from models.db.database import database, open_database

    steps = Steps(Path(command["log"]), command["last"], command["behind"])
    open_database(config.current_settings())
    chosen = database.obj
    steps.watch(chosen, "connect", lambda *_: "connect")
    steps.watch(chosen, "execute_sql", lambda sql, *_: " ".join(sql.split()[:3]))
    steps.watch(chosen, "begin", lambda *_: "begin")
    steps.watch(chosen, "commit", lambda *_: "commit")
    steps.watch(http.client.HTTPConnection, "send", lambda *_: "send")
    steps.watch(http.client.HTTPConnection, "getresponse", lambda *_: "await the answer")
    steps.watch(http.client.HTTPResponse, "read", lambda *_: "read the answer")
    steps.watch(os, "fsync", lambda *_: "fsync")
    renew_connections(command["leases"])


def main() -> None:
    """Perform one command a line, and write how each child ended."""
    known = json.loads(sys.argv[1])
    config.ENV, config.TOML_CONF = known["env"], known["toml"]
    importlib.import_module("actors.renewal.renew")
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _renew(json.loads(line))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
