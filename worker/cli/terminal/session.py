"""What a command acts upon: the database and the queue of this directory's service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from actors.apps.settings import read_app_settings
from catfeeder.client import Client
from catfeeder.errors import QueueUnreachable
from catfeeder.queue.redis.connection import connect_redis
from catfeeder.queue.requester import act_for
from config import Settings, current_settings
from models.db.database import open_database
from models.migrate import check_schema
from worker.queue.client import queue_sealer
from worker.supervisor.valkey.embedded import find_running_url

_AT_REST: Final = (
    "The service of this VAR_DIR does not run: start it by `make run`; or set REDIS_URL, if its "
    "broker is another one."
)


def open_tables() -> Settings:
    """Open the database, whose tables must be up to date, and return the settings.

    Raises:
        ConfigurationError, SchemaTooOld, DatabaseUnreachable: It cannot be used.
    """
    settings = current_settings()
    open_database(settings, may_create=False)
    check_schema()
    return settings


def connect_queue() -> Client:
    """Return the service's own client of its queue, that of our own Valkey included.

    Raises:
        ConfigurationError: A setting cannot be used.
        QueueUnreachable: The service does not run.
    """
    settings = current_settings()
    url = settings.redis_url or find_running_url(settings.var_dir)
    if settings.redis_url is None and not Path(unquote(urlsplit(url).path)).exists():
        raise QueueUnreachable(_AT_REST)
    return Client(connect_redis(url), queue_sealer(settings))


@contextmanager
def see_app(app: str | None) -> Iterator[None]:
    """Act for an app within the block; without one, see all.

    Raises:
        AppUnknown: There is no such app.
    """
    if app is None:
        yield
        return
    read_app_settings(app)
    with act_for(app):
        yield
