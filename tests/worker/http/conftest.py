"""The shim as an app sees it: the real application on real parts, over a real port."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import dramatiq
import httpx
import pytest
from fastapi import FastAPI
from playhouse.pool import PooledDatabase
from redis.asyncio import Redis

from catfeeder.clock import utc_now
from catfeeder.queue.redis.connection import connect_redis_async
from config import Settings
from models.db.database import database, hold_connection
from models.server import begin_boot
from tests.conftest import ADMIN_API_KEY
from tests.oidc_provider import OidcProvider
from tests.scripted_provider import ScriptedProvider, running_scripted_provider
from tests.worker.http.serving import calling, served
from tests.worker.http.signing_in import set_up_house
from worker.crons import Crons
from worker.http.app import create_app
from worker.http.routes.lazy_routes import load_all
from worker.http.shim import Shim

#: Takes fields of `Limits` by name.
SetLimits = Callable[..., None]


@pytest.fixture
async def async_redis(settings: Settings, anyio_backend: str) -> AsyncIterator[Redis]:  # noqa: ARG001
    """A connection to Redis as the shim has it."""
    redis = connect_redis_async(settings.required_redis_url())
    yield redis
    await redis.aclose()


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks by which a test changes its settings."""
    config.addinivalue_line("markers", "config(**sections): adds values to sections of config.toml")
    config.addinivalue_line("markers", "environ(**variables): adds variables to the environment")


@pytest.fixture
def toml_conf(toml_conf: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    """What config.toml says, with the values of the test's `config` marks."""
    conf = dict(toml_conf)
    # A test's own mark wins over its module's.
    for mark in reversed(list(request.node.iter_markers("config"))):
        for section, values in mark.kwargs.items():
            conf[section] = {**conf.get(section, {}), **values}
    return conf


@pytest.fixture
def scripted() -> Iterator[ScriptedProvider]:
    """A provider that the test controls, in place of the OpenID provider."""
    with running_scripted_provider() as provider:
        yield provider


@pytest.fixture
def television(scripted: ScriptedProvider) -> ScriptedProvider:
    """The same, whose users enter a code, and which wants a second between polls."""
    scripted.devices.interval = 1
    scripted.script.metadata = {"device_authorization_endpoint": f"{scripted.issuer}/device"}
    return scripted


@pytest.fixture
def schedule(url: str) -> Iterator[None]:  # noqa: ARG001
    """The schedule, beside the service."""
    crons = Crons(tick_seconds=0.05)
    assert crons.inject_crons() == crons.success
    yield
    crons.stop()


@pytest.fixture
def environment(environment: dict[str, str], request: pytest.FixtureRequest) -> dict[str, str]:
    """What the environment says, with the variables of the test's `environ` marks."""
    marks = reversed(list(request.node.iter_markers("environ")))
    return environment | {name: value for mark in marks for name, value in mark.kwargs.items()}


@pytest.fixture
def generation(tables: Settings) -> int:  # noqa: ARG001
    """The boot of the service that the test belongs to."""
    with hold_connection():
        return begin_boot(utc_now())


@pytest.fixture
def app(generation: int) -> FastAPI:  # noqa: ARG001
    """The application, as uvicorn would make it."""
    if isinstance(database.obj, PooledDatabase):
        # The application opens the database anew, and what the test has opened would leak.
        database.obj.close_all()
    made = create_app()
    # Tests look for some among all.
    load_all(made.router.routes)
    return made


@pytest.fixture
def shim(app: FastAPI) -> Shim:
    """The parts of the application."""
    shim: Shim = app.state.shim
    return shim


@pytest.fixture
def set_limits(app: FastAPI, shim: Shim) -> SetLimits:
    """Change some of the process's `Limits`."""

    def change(**changes: float) -> None:
        limits = dataclasses.replace(shim.limits, **changes)  # type: ignore[arg-type]
        app.state.shim = dataclasses.replace(shim, limits=limits)

    return change


@pytest.fixture
def url(app: FastAPI) -> Iterator[str]:
    """Where the application is served as long as the test runs."""
    with served(app) as url:
        yield url


@pytest.fixture
def anonymous(url: str) -> Iterator[httpx.Client]:
    """A caller without a key, such as a user's browser."""
    with calling(url) as caller:
        yield caller


@pytest.fixture
def attacker(url: str) -> Iterator[httpx.Client]:
    """Another browser."""
    with calling(url) as caller:
        yield caller


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    """A caller with the admin key."""
    headers = {"Authorization": f"Bearer {ADMIN_API_KEY}"}
    with calling(url, headers=headers) as caller:
        yield caller


@pytest.fixture
def house(http: httpx.Client, oidc_provider: OidcProvider, worker: dramatiq.Worker) -> OidcProvider:  # noqa: ARG001
    """The provider, known to the service; a worker does what there is to do."""
    set_up_house(http, oidc_provider)
    return oidc_provider
