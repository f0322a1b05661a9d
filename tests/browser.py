"""Chromium, the system's own, driven through the pages; skipped where there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from playwright.sync_api import Browser, sync_playwright

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
#: In a container the sandbox cannot be set up, and nothing but our own pages is opened. The rest
#: keeps the browser from asking other servers for things of its own.
_OPTIONS: Final = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    # The tests keep each core busy: threads that share the work of one page only cost.
    *("--js-flags=--single-threaded", "--disable-software-rasterizer"),
)


@contextmanager
def start_browser() -> Iterator[Browser]:
    """Start Chromium, or skip the test with the reason."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip(f"none of {', '.join(_NAMES)} is on the PATH: install the package chromium")
    environment: dict[str, str | float | bool] = {
        **os.environ,
        "DBUS_SESSION_BUS_ADDRESS": "disabled:",
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=list(_OPTIONS), env=environment
        )
        yield browser
        browser.close()
