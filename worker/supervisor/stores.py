"""Stores under the service: the broker is there, the database migrated, the generation begun."""

from __future__ import annotations

from datetime import UTC, datetime

from config import Settings
from models.db.database import hold_connection, open_database
from models.migrate import migrate
from models.server import begin_boot, is_stopping, request_stop


def check_broker(redis_url: str) -> None:
    """Make sure that the server of REDIS_URL answers.

    Raises:
        QueueUnreachable: It does not.
    """
    # Loading the client takes time, so an embedded server is started without it.
    from catfeeder.queue.redis_connection import connect_redis, translate_redis_errors

    with translate_redis_errors(), connect_redis(redis_url) as client:
        client.ping()


def begin_generation(settings: Settings) -> int:
    """Bring the database up to date and begin a new generation of the service; return its number.

    Raises:
        ConfigurationError: The database cannot be used; the message names the setting.
    """
    now = datetime.now(UTC)
    open_database(settings)
    migrate(now)
    with hold_connection():
        return begin_boot(now)


def is_shutdown_requested(generation: int) -> bool:
    """Return whether this generation is to shut down; false while the database is away."""
    try:
        with hold_connection():
            return is_stopping(generation)
    # A database that is away for a moment shows in /health, and is no reason to end the service.
    except Exception:  # noqa: BLE001
        return False


def request_shutdown(generation: int) -> bool:
    """Let every process know that this generation shuts down; false while the database is away."""
    try:
        with hold_connection():
            return request_stop(generation)
    # Ctrl-C stops the service, database or no database.
    except Exception:  # noqa: BLE001
        return False
