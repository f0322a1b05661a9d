"""The command line, `python -m worker`; each command imports what it needs, and no more."""

from __future__ import annotations

import argparse
import sys
from typing import Final

#: What a shell reports for a program that Ctrl-C ended: 128 and the signal's number.
_INTERRUPTED: Final = 130


def main(arguments: list[str] | None = None) -> int:
    """Carry out one command; what goes wrong is one sentence on stderr and status 1."""
    command = _parser().parse_args(arguments).command
    from catfeeder.errors import CatFeederError
    from config import ConfigurationError

    try:
        return int(_COMMANDS[command]())
    except (CatFeederError, ConfigurationError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m worker", description="Cat Feeder's service.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="start the whole service; Ctrl-C drains and stops it")
    commands.add_parser("scheduler", help="ask for renewals and clean-ups when they are due")
    commands.add_parser("migrate", help="bring the database's tables up to date")
    commands.add_parser("reseal", help="seal what is stored with a changed SECRET_KEY")
    commands.add_parser("queue-key", help="print the key for apps that use the queue directly")
    return parser


def _run() -> int:
    from worker.run import run_service

    return run_service()


def _scheduler() -> int:
    from worker.scheduler import run_scheduler

    return run_scheduler()


def _migrate() -> int:
    from datetime import UTC, datetime

    from config import current_settings
    from models.database import open_database
    from models.migrate import migrate

    open_database(current_settings())
    applied = migrate(datetime.now(UTC))
    print("\n".join(applied) or "The database is up to date.")
    return 0


def _reseal() -> int:
    from worker.resealing import run_resealing

    return run_resealing()


def _queue_key() -> int:
    from catfeeder.sealing import QUEUE_LABEL, KeyRing, key_to_text
    from config import current_settings

    keys = KeyRing(current_settings().secret_keys()).keys(QUEUE_LABEL)
    print(key_to_text(keys[0]))
    return 0


_COMMANDS = {
    "run": _run,
    "scheduler": _scheduler,
    "migrate": _migrate,
    "reseal": _reseal,
    "queue-key": _queue_key,
}

if __name__ == "__main__":
    sys.exit(main())
