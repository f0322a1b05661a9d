"""`python -m benchmarks.imports.rate`: 100,000 connections of a file, imported by the command."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.measuring.core_time import server_core_seconds
from benchmarks.measuring.figures import Figure, circumstances, table
from benchmarks.measuring.stack import SECRET_KEY
from benchmarks.renewals.database import PROVIDER, configure_provider, kinds, open_here
from config import ROOT
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS

_COUNT: Final = 100_000
_GOAL_SECONDS: Final = 120
#: All tokens of the file end within a minute of one another, as after a migration's last renewal.
_ENDS_IN: Final = timedelta(hours=12)


def main() -> None:
    """Import into each kind of database, print the figures, and exit with 1 if one is too slow."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else _COUNT
    figures, slowest = [], 0.0
    with tempfile.TemporaryDirectory(prefix="cf-", dir="/tmp") as directory:
        path = Path(directory) / "connections.jsonl"
        _write(path, count)
        for name, kind in kinds().items():
            with kind() as url, open_here(url, Path(directory)):
                configure_provider("https://provider.example.com/token")
                first, again = (_import(path, url, directory) for _ in range(2))
                figures += _describe(name, count, first, again)
                slowest = max(slowest, first.seconds)
    print(f"{circumstances()}\n\n{table(figures)}")
    sys.exit(slowest > _GOAL_SECONDS)


def _write(path: Path, count: int) -> None:
    """Write a file of connections; all of their tokens end soon and together."""
    ends_at = (datetime.now(UTC) + _ENDS_IN).isoformat()
    with path.open("w") as file:
        file.writelines(json.dumps(_build(number, ends_at)) + "\n" for number in range(count))


def _build(number: int, ends_at: str) -> dict[str, Any]:
    tokens = {
        "access_token": f"ya29.{number:0>160}",
        "refresh_token": f"1//0{number:0>100}",
        "scope": "openid email profile",
        "expires_at": ends_at,
    }
    profile = {"subject": str(number), "email": f"{number}@example.com", "name": "Jane Doe"}
    return {"subject": f"user-{number}", "tokens": tokens, "profile": profile}


class Spent(NamedTuple):
    """What the command has taken: the time, and how long it and the database kept a core busy."""

    seconds: float
    core_seconds: float


def _import(path: Path, url: str, directory: str) -> Spent:
    """Run the command, and return what it takes."""
    settings = {"SECRET_KEY": SECRET_KEY, "VAR_DIR": directory, "DATABASE_URL": url}
    command = [sys.executable, "-m", "worker", "import", str(path), "--provider", PROVIDER]
    started, busy = time.monotonic(), _measure_cores(url)
    subprocess.run(command, cwd=ROOT, env={**os.environ, **settings}, check=True)
    return Spent(time.monotonic() - started, _measure_cores(url) - busy)


def _measure_cores(url: str) -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime + server_core_seconds(url)


def _describe(name: str, count: int, first: Spent, again: Spent) -> list[Figure]:
    what = f"{name}: import of {count:,} connections"
    busiest = _find_busiest_minute()
    return [
        Figure(what, f"{first.seconds:.1f} s", goal=f"under {_GOAL_SECONDS} s"),
        Figure(f"{name}: of which it and the database compute", f"{first.core_seconds:.1f} s"),
        Figure(f"{name}: the same file again, which changes nothing", f"{again.seconds:.1f} s"),
        Figure(f"{name}: first renewals in the busiest minute", f"{busiest:,}"),
    ]


def _find_busiest_minute() -> int:
    with hold_connection():
        rows = TAB_CONNECTIONS.select(TAB_CONNECTIONS.renew_at).tuples().iterator()
        minutes = Counter(int(renew_at.timestamp()) // 60 for (renew_at,) in rows)
    return max(minutes.values())


if __name__ == "__main__":
    main()
