"""`python -m worker migrate`: brings the tables up to date, and takes an earlier shutdown back."""

from __future__ import annotations

from datetime import datetime

from catfeeder.clock import utc_now
from config import load_settings
from models.db.database import describe_database, hold_connection, open_database
from models.migrate import migrate
from models.server import begin_boot, current_generation, is_latest_stopping
from worker.cli.terminal.output import json_answer


def migrate_database(*, as_json: bool = False) -> int:
    """Apply the migrations that are missing, begin a boot, and print what was done to what.

    Raises:
        ConfigurationError: The database cannot be used.
    """
    settings = load_settings(former_keys_may_be_weak=True)
    open_database(settings)
    now = utc_now()
    applied = migrate(now)
    with json_answer(as_json) as answer:
        answer.update(database=describe_database(settings), applied=list(applied))
        print(f"The database is {describe_database(settings)}.")
        print("\n".join(applied) or "The database is up to date.")
        with hold_connection():
            print(_begin_boot_if_needed(now))
    return 0


def _begin_boot_if_needed(now: datetime) -> str:
    """Begin a generation where no supervisor does, and return what was done."""
    stopped = current_generation()
    if stopped == 0:
        return f"Boot {begin_boot(now)} begins: processes of the service may start."
    if not is_latest_stopping():
        return f"Boot {stopped} goes on: no shutdown was to be taken back."
    return (
        f"The shutdown of boot {stopped} is taken back: boot {begin_boot(now)} begins, and web "
        "processes that run take work again within a second."
    )
