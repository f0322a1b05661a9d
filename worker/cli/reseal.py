"""`python -m worker reseal`: seals every stored secret with SECRET_KEY, and prints its progress."""

from __future__ import annotations

import sys
from typing import Final

from actors.upkeep.resealing import Progress, reseal_with_this_key
from catfeeder.clock import utc_now
from config import load_settings
from models.db.database import open_database
from models.migrate import check_schema
from worker.cli.terminal.output import json_answer
from worker.cli.terminal.progress import ProgressLine

_DONE: Final = "Everything stored is sealed with SECRET_KEY."
_NEXT: Final = (
    "SECRET_KEY_PREVIOUS can be dropped an hour after the last process was started with this "
    "SECRET_KEY: until then Redis may hold jobs that need it."
)


def reseal(*, as_json: bool = False) -> int:
    """Seal every secret anew that needs it, beside the running service.

    Raises:
        ConfigurationError: The database cannot be used, or knows other keys than ours; or the
            service does not have this SECRET_KEY yet.
    """
    settings = load_settings(former_keys_may_be_weak=True)
    open_database(settings, may_create=False)
    check_schema()
    with json_answer(as_json) as answer:
        progress = _reseal()
        answer.update(done=progress.done, total=progress.total, broken=list(progress.broken))
        if settings.previous_secret_keys:
            print(_NEXT)
    return 0


def _reseal() -> Progress:
    """Seal anew what needs it, and return what was done."""
    with ProgressLine() as line:
        for progress in reseal_with_this_key(utc_now()):
            text = f"{progress.done} of {progress.total} rows"
            if sys.stderr.isatty():
                line.show(progress.done, text, progress.total)
            else:
                print(text, flush=True)
    for row in progress.broken:
        print(f"No key opens a secret of {row}: it is damaged, or foreign.", file=sys.stderr)
    print(_DONE if not progress.broken else "Everything else is sealed with SECRET_KEY.")
    return progress
