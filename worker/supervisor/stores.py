"""Stores under the service: the broker is there, the database migrated, the generation begun."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from catfeeder.errors import CatFeederError
from config import ConfigurationError, Settings, current_settings
from models.db.database import bind_tables, build_database, hold_connection, open_database
from models.migrate import migrate
from models.sealing.keys import is_key_recorded
from models.server import begin_supervised_boot, is_stopping, record_ready, record_stop

#: What publishes the queue keys in a process of its own, for the fork server.
PUBLISHING: Final = "worker.supervisor.stores:publish_in_own_process"


def check_broker(redis_url: str) -> None:
    """Make sure that the server of REDIS_URL answers, and does what jobs need.

    Raises:
        QueueUnreachable: It does not.
    """
    # Loading the client takes time, so an embedded server is started without it.
    from catfeeder.queue.redis.connection import connect_redis
    from worker.consuming.start_checks.abilities import check_abilities

    with connect_redis(redis_url) as client:
        check_abilities(client)


def refuse_new_secret_key(settings: Settings) -> None:
    """Make sure that no stored secret needs a SECRET_KEY, before a new one is made.

    Raises:
        ConfigurationError: The database holds what was sealed with one, or cannot be used.
    """
    bind_tables(build_database(settings), None)
    with hold_connection():
        if is_key_recorded():
            raise ConfigurationError(
                "SECRET_KEY is not set, and what the database holds was sealed with one: set that "
                "one again, in .env or in the environment. To begin anew, without the stored "
                "sign-ins and tokens, set DATABASE_URL to an empty database, or move the old away."
            )


def begin_generation(settings: Settings) -> int:
    """Bring the database up to date and begin a new generation of the service; return its number.

    Raises:
        ConfigurationError: The database cannot be used; the message names the setting.
    """
    now = datetime.now(UTC)
    open_database(settings)
    migrate(now)
    with hold_connection():
        return begin_supervised_boot(now)


def publish_queue_keys(settings: Settings, redis_url: str) -> None:
    """Publish which queue keys serve, for processes that start without the database.

    Raises:
        QueueUnreachable, DatabaseUnreachable: One of them did not answer.
    """
    # Loaded late: the supervisor has processes to start, and starts them sooner without these.
    from catfeeder.queue.redis.connection import connect_redis
    from worker.queue.client import queue_sealer
    from worker.queue.key_list import publish

    with connect_redis(redis_url) as client:
        publish(client, queue_sealer(settings))


def publish_in_own_process() -> int:
    """Publish as the settings of this process say, and return its exit status."""
    try:
        settings = current_settings()
        open_database(settings)
        publish_queue_keys(settings, settings.required_redis_url())
    except CatFeederError:
        return 1
    return 0


def announce_ready(generation: int) -> None:
    """Record that every process of this start is ready, which /health waits for.

    Raises:
        DatabaseUnreachable: The database is away.
    """
    with hold_connection():
        record_ready(generation, datetime.now(UTC))


def is_shutdown_requested(generation: int) -> bool:
    """Return whether this generation is to shut down; false while the database is away."""
    try:
        with hold_connection():
            return is_stopping(generation)
    # A database that is away for a moment shows in /health, and is no reason to end the service.
    except Exception:  # noqa: BLE001
        return False


def announce_stop(generation: int) -> None:
    """Let the processes of this start know that they stop; do nothing while the database is away.

    Others on this database go on: they stop by a shutdown, which is for the whole service.
    """
    try:
        with hold_connection():
            record_stop(generation, datetime.now(UTC))
    # Ctrl-C stops the service, database or no database.
    except Exception:  # noqa: BLE001, S110
        pass
