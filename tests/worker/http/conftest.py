"""The shim as an app sees it: the real application on real parts, over a real port."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI

from catfeeder.jobs import utc_now
from config import Settings
from models.database import connected
from models.server import begin_boot
from tests.conftest import ADMIN_API_KEY
from tests.worker.http.serving import served
from worker.http.app import create_app
from worker.http.shim import Shim


@pytest.fixture
def generation(tables: Settings) -> int:  # noqa: ARG001
    """The boot of the service that the test belongs to."""
    with connected():
        return begin_boot(utc_now())


@pytest.fixture
def app(generation: int) -> FastAPI:  # noqa: ARG001
    """The application, as uvicorn would make it."""
    return create_app()


@pytest.fixture
def shim(app: FastAPI) -> Shim:
    """The parts of the application."""
    shim: Shim = app.state.shim
    return shim


@pytest.fixture
def url(app: FastAPI) -> Iterator[str]:
    """Where the application is served as long as the test runs."""
    with served(app) as url:
        yield url


@pytest.fixture
def anonymous(url: str) -> Iterator[httpx.Client]:
    """A caller without a key."""
    with httpx.Client(base_url=url, timeout=60) as caller:
        yield caller


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    """A caller with the admin key."""
    headers = {"Authorization": f"Bearer {ADMIN_API_KEY}"}
    with httpx.Client(base_url=url, timeout=60, headers=headers) as caller:
        yield caller
