"""`python -m worker migrate`: brings the tables up to date, and takes an earlier shutdown back."""

from __future__ import annotations

from catfeeder.clock import utc_now
from config import current_settings
from models.db.database import hold_connection, open_database
from models.migrate import migrate
from models.server import begin_boot, is_latest_stopping


def migrate_database() -> int:
    """Apply the migrations that are missing, and print their names.

    Raises:
        ConfigurationError: The database cannot be used.
    """
    open_database(current_settings())
    now = utc_now()
    applied = migrate(now)
    # Without a supervisor, nothing else begins a generation after a shutdown.
    with hold_connection():
        if is_latest_stopping():
            begin_boot(now)
    print("\n".join(applied) or "The database is up to date.")
    return 0
