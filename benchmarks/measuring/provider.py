"""Provider of a benchmark: a process of its own, so that its core time counts for no contender."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import requests

from benchmarks.measuring.stack import running
from config import ROOT
from tests.ports import free_port
from tests.waiting import wait_until


@contextlib.contextmanager
def running_provider(module: str, probed_path: str = "/") -> Iterator[str]:
    """Run a module that serves on the port it is given; yield its URL once the path answers."""
    port = free_port()
    with running([sys.executable, "-m", module, str(port)], {"PYTHONPATH": str(ROOT)}):
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _is_there(f"{url}{probed_path}"))
        yield url


def _is_there(url: str) -> bool:
    with contextlib.suppress(requests.ConnectionError):
        return requests.get(url, timeout=5).ok
    return False
