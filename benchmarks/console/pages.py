"""Time of the console's pages with a million connections, and as many events, in PostgreSQL."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx

from benchmarks.console.population import (
    configure_providers,
    fill_connections,
    fill_events,
    name_connection,
)
from benchmarks.measuring.figures import Figure, milliseconds, percentile, table
from benchmarks.measuring.stack import ADMIN_API_KEY, new_stack
from benchmarks.renewals.database import kinds, open_here, postgresql
from models.db.database import hold_connection

_COUNT: Final = 1_000_000
_REPEATS: Final = 30
_GOAL: Final = "p50 < 150 ms"
_BEARER: Final = {"Authorization": f"Bearer {ADMIN_API_KEY}"}
#: Of a connection that is neither the first nor the last in any order.
_SOME: Final = 77
_PAGES: Final = {
    "overview": "/console",
    "connections": "/console/connections",
    "connections by subject": f"/console/connections?q=user-{_SOME}",
    "connections by e-mail address": f"/console/connections?q=Ann-{_SOME}@Example.com",
    "connections that fail": "/console/connections?status=renewal_failing",
    "connections by filters": "/console/connections?app=helpdesk&provider=linear&status=active",
    "connections, of which none matches": "/console/connections?app=helpdesk&status=pending",
    "all that match, counted": "/console/connections/all?action=disconnect",
    "one connection": f"/console/connections/{name_connection(_SOME)}",
    "renewals": "/console/renewals",
    "renewals of a provider": "/console/renewals?provider=slack",
    "renewals of an app": "/console/renewals?app=helpdesk",
    "events": "/console/events",
    "events of a kind": "/console/events?kind=renewal_failed",
    "events, of which none matches": "/console/events?q=nokey",
    "providers": "/console/providers",
    "one provider": "/console/providers/google",
    "catalogue": "/console/catalogue",
    "queues": "/console/queues",
    "jobs": "/console/jobs",
    "webhooks": "/console/webhooks",
    "apps": "/console/apps",
    "keys": "/console/keys",
}


def measure(count: int = _COUNT, repeats: int = _REPEATS) -> list[Figure]:
    """Measure each page's HTML, from the request until its last byte is there."""
    if "PostgreSQL" not in kinds():
        return []
    with postgresql() as url, _filled(url, count), _signed_in(url) as visitor:
        found = []
        for name, path in _PAGES.items():
            answer = visitor.get(path)
            if answer.status_code == httpx.codes.NOT_FOUND:
                continue
            answer.raise_for_status()
            seconds = [_time(visitor, path) for _ in range(repeats)]
            found.append(_figure(name, seconds, len(answer.content)))
        return found


def _time(visitor: httpx.Client, path: str) -> float:
    began = time.perf_counter()
    visitor.get(path).raise_for_status()
    return time.perf_counter() - began


def _figure(name: str, seconds: list[float], size: int) -> Figure:
    ratio = percentile(seconds, 50) / 0.150
    return Figure(f"console: {name}", milliseconds(seconds), f"{size // 1024} KiB", ratio, _GOAL)


@contextmanager
def _filled(url: str, count: int) -> Iterator[None]:
    now = datetime.now(UTC)
    with (
        tempfile.TemporaryDirectory(prefix="cf-", dir="/tmp") as var_dir,
        open_here(url, Path(var_dir)),
        hold_connection(),
    ):
        configure_providers(now)
        fill_connections(count, now)
        fill_events(count, count, now)
    yield


@contextmanager
def _signed_in(url: str) -> Iterator[httpx.Client]:
    """Start the service on the database, and yield a browser with a session of the console."""
    with new_stack() as stack:
        service = stack.directory.healthy(**stack.environment, DATABASE_URL=url)
        address = f"http://127.0.0.1:{stack.port}"
        with httpx.Client(base_url=address, follow_redirects=True, timeout=60) as visitor:
            for app in ("web-shop", "helpdesk"):
                made = {"id": app, "name": app}
                visitor.post("/v1/apps", json=made, headers=_BEARER).raise_for_status()
            page = visitor.post("/console/login", data={"api_key": ADMIN_API_KEY})
            if not re.search('name="csrf_token"', page.text):
                raise RuntimeError("the login was refused")
            yield visitor
        service.stop()


if __name__ == "__main__":
    print(table(measure()))
