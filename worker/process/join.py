"""Start of a process that reads the database: files, tables, SECRET_KEY and presets are checked."""

from __future__ import annotations

from actors.providers.config.configured_presets import add_configured_presets
from catfeeder.clock import utc_now
from config import Settings
from models.db.database import open_database
from models.migrate import join_service
from worker.process.exposures import warn_of_exposures


def join(settings: Settings) -> None:
    """Make this process one of the service's.

    A preset whose credentials are in the environment needs no request to exist.

    Raises:
        CatFeederError: A setting, the database or SECRET_KEY cannot be used.
    """
    warn_of_exposures(settings)
    open_database(settings)
    join_service(utc_now())
    add_configured_presets(utc_now())
