"""What all tests share: settings of their own, and the service's real parts."""

from __future__ import annotations

import functools
import gc
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import dramatiq
import hypothesis
import peewee
import pytest
import redis.utils
from playhouse.pool import PooledDatabase
from playwright.sync_api import Browser

import catfeeder
import config
from actors import stopping
from actors.apps.settings import forget_app_settings
from actors.providers.config import cache
from actors.providers.config.discovery_gate import forget_failures
from actors.providers.http.transport import shared_adapter
from catfeeder.client import Client
from catfeeder.queue.keys import AppKey
from catfeeder.queue.requester import DEFAULT_APP, acting_app, sees_all_apps
from catfeeder.sealing import QUEUE_LABEL, Secret, derive_key
from config import Settings
from models.db import database as database_module
from models.migrate import migrate
from tests.actors.sign_ins import configure_plain
from tests.browser import start_browser
from tests.mariadb import MariadbServer, is_mariadb_installed, running_mariadb
from tests.migrated import MigratedPostgres, MigratedSqlite
from tests.oidc_provider import OidcProvider, running_oidc_provider
from tests.scripted_provider import ScriptedProvider, running_scripted_provider
from tests.servers import PostgresServer, ValkeyServer, running_postgres, running_valkey
from worker.consuming.broker import ConsumingBroker
from worker.process import perform
from worker.process.build import build_broker
from worker.queue.client import connect_queue

#: The databases that are servers. MariaDB has no wheel: it is tested on where it is installed.
SERVER_KINDS: Final = ("postgresql", "mariadb") if is_mariadb_installed() else ("postgresql",)
DATABASE_KINDS: Final = ("sqlite", *SERVER_KINDS)
#: Those of which a test gets one that has its tables already.
_LENT_KINDS: Final = ("sqlite", "postgresql")
_TURNS: Final = {"chaos": 0, "journeys": 1, "worker": 2}
_OUR_LOGGERS: Final = ("actors", "catfeeder", "models", "worker")
#: Fixtures of servers that the service calls.
_CALLED: Final = (
    *("provider", "receiver", "harness", "oidc_provider"),
    *("scripted", "honest", "evil"),
)
SECRET_KEY: Final = "a-secret-key-that-guards-nothing-but-tests"
OTHER_SECRET_KEY: Final = "the-next-secret-key-that-guards-nothing-but-tests"
ADMIN_API_KEY: Final = "an-admin-key-that-guards-nothing-but-tests"
#: Starts a worker in the test's process, and stops it at the end.
StartWorker = Callable[..., dramatiq.Worker]
#: The databases that were opened in this process, and may not be closed yet.
_opened: Final[list[peewee.Database | None]] = []
database_module.database.attach_callback(_opened.append)

# Bytecode is kept, whatever the environment says: the tests start hundreds of processes, and each
# would compile it anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A connection to Redis looks its library's version up in the installed files. A level that is set
# clears the caches of all loggers, though most of those that tests set hold already.
redis.utils.get_lib_version = functools.cache(redis.utils.get_lib_version)
_set_level = logging.Logger.setLevel


def _set_other_level(logger: logging.Logger, level: int | str) -> None:
    if level not in (logger.level, logging.getLevelName(logger.level)):
        _set_level(logger, level)


logging.Logger.setLevel = _set_other_level  # type: ignore[assignment, method-assign]

# The same examples in each run, however slowly they come: no run finds what another has let pass.
# `pytest --hypothesis-profile=others` looks for new ones.
hypothesis.settings.register_profile(
    "tests",
    derandomize=True,
    deadline=None,
    suppress_health_check=[
        hypothesis.HealthCheck.too_slow,
        hypothesis.HealthCheck.function_scoped_fixture,
    ],
)
hypothesis.settings.register_profile(
    "others", hypothesis.settings.get_profile("tests"), derandomize=False
)
hypothesis.settings.load_profile("tests")


# Each of pytest's workers collects thousands of tests, whose objects stay to the end. Looking for
# garbage among them took a sixth of the collection, and time of each test after it.
gc.disable()


def pytest_collection_finish() -> None:
    """Look for garbage again, but not among what was collected."""
    gc.freeze()
    gc.enable()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `database` on each kind of database."""
    if "database" in metafunc.fixturenames:
        metafunc.parametrize("database_kind", DATABASE_KINDS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the folders whose tests start many processes, so that none is left for the end.

    A file is run by one of pytest's workers, and the others would wait for it.
    """
    items.sort(key=lambda item: _TURNS.get(item.nodeid.split("/")[1], len(_TURNS)))


@pytest.fixture(autouse=True)
def _act_for_the_first_app() -> None:
    """Forget for whom the test before has acted: commands see every app, in the same process."""
    acting_app.set(DEFAULT_APP)
    sees_all_apps.set(False)


@pytest.fixture(scope="session")
def _valkey_server() -> Iterator[ValkeyServer]:
    with running_valkey() as server:
        yield server


@pytest.fixture
def valkey(_valkey_server: ValkeyServer) -> ValkeyServer:
    """A real Valkey with nothing in it."""
    _valkey_server.client.flushall()
    return _valkey_server


@pytest.fixture(scope="session")
def _postgresql_server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def _mariadb_server() -> Iterator[MariadbServer]:
    with running_mariadb() as server:
        yield server


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that apps and the server run."""
    return "asyncio"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser, for as long as a file's tests run: no event loop runs beside Playwright's own."""
    with start_browser() as browser:
        yield browser


@pytest.fixture
def database_kind() -> str:
    """Which database a test runs on: SQLite unless it asks for `database`, and so for each kind."""
    return "sqlite"


@pytest.fixture(scope="session")
def _migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> MigratedSqlite:
    return MigratedSqlite(tmp_path_factory.mktemp("migrated"), _migrate)


@pytest.fixture(scope="session")
def _migrated_postgresql(_postgresql_server: PostgresServer) -> MigratedPostgres:
    return MigratedPostgres(_postgresql_server, _migrate)


@pytest.fixture
def database_url(
    database_kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[str]:
    """The DATABASE_URL of a database that is empty, unless the test asks for `tables`."""
    wants_tables = "tables" in request.fixturenames
    if database_kind == "sqlite":
        path = tmp_path / "catfeeder.sqlite3"
        if wants_tables:
            request.getfixturevalue("_migrated_sqlite").copy_to(path)
        yield f"sqlite:///{path}"
    else:
        is_lent = wants_tables and database_kind in _LENT_KINDS
        name = f"_migrated_{database_kind}" if is_lent else f"_{database_kind}_server"
        with request.getfixturevalue(name).database() as url:
            yield url


@pytest.fixture(scope="session")
def oidc_provider() -> Iterator[OidcProvider]:
    """A real OpenID provider; tokens that are to be renewed are made old."""
    with running_oidc_provider() as provider:
        yield provider


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    """A provider over real HTTP that behaves as its script says."""
    with running_scripted_provider() as started:
        yield started


@pytest.fixture
def plain(provider: ScriptedProvider, tables: object) -> ScriptedProvider:
    """The same, configured as a provider of plain OAuth 2.0."""
    del tables
    configure_plain(provider)
    return provider


@pytest.fixture
def environment(
    valkey: ValkeyServer, database_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> dict[str, str]:
    """What the environment and `.env` say; redefine it in a module to set more.

    The servers that a test asks for may be called, though they are on this machine.
    """
    asked = [name for name in _CALLED if name in request.fixturenames]
    return {
        "ADMIN_API_KEY": ADMIN_API_KEY,
        "DATABASE_URL": database_url,
        "OAUTH_ALLOWED_PRIVATE_HOSTS": ",".join(
            request.getfixturevalue(name).host for name in asked
        ),
        "REDIS_URL": valkey.url,
        "SECRET_KEY": SECRET_KEY,
        "VAR_DIR": str(tmp_path / "var"),
    }


@pytest.fixture
def toml_conf() -> dict[str, Any]:
    """What config.toml says: hashes are cheap, passwords short; redefine it to set more.

    One callback serves all of a test's providers, unless the test is about that.
    """
    return {
        "OAuth": {"redirect_path_per_provider": False},
        "Server_configuration": {"debug_mode": {"testing": True}},
        "Passwords": {"rounds": 4, "policy": False},
    }


@pytest.fixture
def settings(environment: dict[str, str], toml_conf: dict[str, Any]) -> Iterator[Settings]:
    """The settings of a test, which are the process's while it runs."""
    with _settings_of(environment, toml_conf) as chosen:
        yield chosen


@contextmanager
def _settings_of(environment: dict[str, str], toml_conf: dict[str, Any]) -> Iterator[Settings]:
    with pytest.MonkeyPatch.context() as patched, _logging_restored():
        patched.setitem(vars(config), "ENV", environment)
        patched.setitem(vars(config), "TOML_CONF", toml_conf)
        config.current_settings.cache_clear()
        chosen = config.current_settings()
        adapter = shared_adapter()
        yield chosen
        # Connections are kept alive, and the next provider may come to listen at the same port.
        adapter.close()
    config.current_settings.cache_clear()
    # An exception that is kept keeps what was known of this test's providers.
    cache._shared.clear()
    forget_app_settings()
    forget_failures()
    # A worker of this test has stopped, and the process goes on.
    stopping.clear_stop_request()
    _close_databases()
    # The next `ensure_open` opens the database of the next test's settings.
    database_module.database.obj = None


@contextmanager
def _logging_restored() -> Iterator[None]:
    """Undo what a process's set-up of the logs does to those of the tests."""
    loggers = [logging.getLogger(name) for name in (None, *_OUR_LOGGERS)]
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.fixture
def tables(settings: Settings, database_kind: str) -> Iterator[Settings]:
    """An open database with all its tables, of one kind; the settings that lead to it."""
    has_tables = database_kind in _LENT_KINDS and settings.secret_key == SECRET_KEY
    with _tables_of(settings, has_tables=has_tables and not settings.previous_secret_keys):
        yield settings


@contextmanager
def _tables_of(settings: Settings, *, has_tables: bool = False) -> Iterator[None]:
    database_module.open_database(settings)
    if not has_tables:
        migrate(datetime.now(UTC))
    yield
    _close_databases()


def _close_databases() -> None:
    """Close all that the test has opened, or those it served, of which only the last is known."""
    for chosen in filter(None, _opened):
        chosen.close()
        if isinstance(chosen, PooledDatabase):
            chosen.close_all()
    _opened.clear()


def _migrate(database_url: str) -> None:
    """Make all tables."""
    environment = {"DATABASE_URL": database_url, "SECRET_KEY": SECRET_KEY}
    with _settings_of(environment, {}) as settings, _tables_of(settings):
        pass


@pytest.fixture
def database(tables: Settings) -> Settings:
    """The same, once for each kind of database that is supported."""
    return tables


@pytest.fixture
def queue_key(settings: Settings) -> str:
    """What `python -m worker keys queue` prints."""
    return derive_app_key(settings, DEFAULT_APP).to_text()


def derive_app_key(settings: Settings, app: str, generation: int = 1) -> AppKey:
    """Return the queue key of an app."""
    secret_key = Secret(settings.required_secret_key())
    return AppKey.derive(derive_key(secret_key, QUEUE_LABEL), app, generation)


@pytest.fixture
def client(settings: Settings, queue_key: str) -> Iterator[Client]:
    """A client as another app has it."""
    connected = catfeeder.connect(settings.required_redis_url(), queue_key)
    yield connected
    connected.close()


@pytest.fixture
def service(settings: Settings) -> Iterator[Client]:
    """A client as the service itself has it."""
    connected = connect_queue(settings)
    yield connected
    connected.close()


@pytest.fixture
def broker(tables: Settings) -> Iterator[ConsumingBroker]:
    """The broker of a worker process, with the service's own middleware and actors."""
    built = build_broker(tables)
    yield built
    built.close()


@pytest.fixture
def start_worker(broker: ConsumingBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartWorker]:
    """Starts workers that perform messages in threads of the test's process, and stops them."""
    for name in ("CONSUMER_RESTART_DELAY_SECS", "POST_PROCESS_MESSAGE_RETRY_DELAY_SECS"):
        monkeypatch.setattr(f"dramatiq.worker.{name}", 0.05)
    with ExitStack() as stops:

        def start(
            threads: int = 2, prefetch: int = 4, poll_seconds: float = 0.02, **options: Any
        ) -> dramatiq.Worker:
            options = {"broker": broker, "poll_ms": int(poll_seconds * 1000), **options}
            started = perform.start_worker(threads=threads, prefetch=prefetch, **options)
            stops.callback(perform.stop_worker, started, 600)
            return started

        yield start


@pytest.fixture
def worker(start_worker: StartWorker) -> dramatiq.Worker:
    """A worker of all queues."""
    return start_worker()
