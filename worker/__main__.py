"""The command line, `python -m worker`; each command imports what it needs, and no more."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any, Final

#: What a shell reports for a program that Ctrl-C ended: 128 and the signal's number.
_INTERRUPTED: Final = 130
#: And of one whose output nobody reads.
_NOT_READ: Final = 141

Reader = Callable[[str], Any]


def _from_to(least: int, most: int, read: Callable[[str], Any] = int) -> Reader:
    """Return what reads a number from `least` to `most`."""

    def number(text: str) -> Any:
        if not least <= read(text) <= most:
            raise argparse.ArgumentTypeError(f"must be {least} to {most}")
        return read(text)

    return number


_days: Final = _from_to(1, 3650)
_listed: Final = _from_to(1, 100_000)
_at_once: Final = _from_to(1, 1000)
_seconds: Final = _from_to(0, 3600, float)


def main(arguments: list[str] | None = None) -> int:
    """Carry out one command; what goes wrong is one sentence on stderr and status 1."""
    given = vars(_parser().parse_args(arguments))
    try:
        return _carry_out(given.pop("command"), given)
    except BrokenPipeError:
        # Who has read enough, as `head` has, wants no more of it; nor does the interpreter's end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _NOT_READ
    except KeyboardInterrupt:
        return _INTERRUPTED


def _carry_out(command: str, given: dict[str, Any]) -> int:
    from catfeeder.errors import CatFeederError

    try:
        status = _COMMANDS[command](**given)
    except CatFeederError as error:
        print(error, file=sys.stderr)
        return 1
    # Here, and not at the interpreter's end, it shows whether anybody reads it.
    sys.stdout.flush()
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m worker", description="Cat Feeder's service.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="start the whole service; Ctrl-C drains and stops it")
    _add_perform(commands.add_parser("perform", help="perform the messages of some queues"))
    commands.add_parser("scheduler", help="ask for renewals and clean-ups when they are due")
    commands.add_parser("migrate", help="bring the database's tables up to date")
    commands.add_parser("reseal", help="seal what is stored with a changed SECRET_KEY")
    commands.add_parser("queue-key", help="print the key for apps that use the queue directly")
    commands.add_parser("webhook-key", help="print the key that the webhook's receiver checks with")
    _add_make_key(commands.add_parser("make-key", help="make an API key for an app and print it"))
    _add_renewals(commands.add_parser("renewals", help="list what would be renewed when and why"))
    _add_queues(commands.add_parser("queues", help="tell what waits, and which messages failed"))
    _add_replay(commands.add_parser("replay", help="send anew what failed or was set aside"))
    check = commands.add_parser("check-provider", help="look a provider's settings over")
    check.add_argument("name", help="the provider's name, such as google")
    return parser


def _add_perform(parser: argparse.ArgumentParser) -> None:
    schedule_help = "emit the schedule as well, as `scheduler` does"
    parser.add_argument("--schedule", action="store_true", help=schedule_help)
    queues_help = "passwords, oauth, renewals or control"
    parser.add_argument("--queues", nargs="+", required=True, metavar="QUEUE", help=queues_help)
    parser.add_argument("--threads", type=_at_once, required=True, help="how many messages at once")
    prefetch_help = "how many messages to hold, running ones included; as many as threads at most"
    parser.add_argument("--prefetch", type=_at_once, required=True, metavar="N", help=prefetch_help)
    grace_help = "how long a job in hand may go on when told to stop"
    parser.add_argument(
        "--grace",
        dest="grace_seconds",
        type=_seconds,
        required=True,
        metavar="SECONDS",
        help=grace_help,
    )


def _add_make_key(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="which app it is for")
    scope_help = "jobs, connections:read, tokens:read or admin; may be given several times"
    parser.add_argument(
        "--scope", dest="scopes", action="append", required=True, metavar="SCOPE", help=scope_help
    )
    parser.add_argument("--days", type=_days, help="how long it serves; without an end if left out")
    parser.add_argument(
        "--requests-per-minute", type=int, default=600, metavar="N", help="600 if left out"
    )


def _add_renewals(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--provider", help="of this provider alone, such as google")
    parser.add_argument("--failing", action="store_true", help="only where the last try has failed")
    parser.add_argument(
        "--days", type=_days, default=1, help="how far to look ahead; a day if left out"
    )
    parser.add_argument(
        "--limit", type=_listed, default=100, metavar="N", help="how many to list; 100 if left out"
    )


def _add_queues(parser: argparse.ArgumentParser) -> None:
    queue_help = "list the messages of this queue that failed or were set aside"
    parser.add_argument("queue", nargs="?", help=queue_help)
    parser.add_argument(
        "--limit", type=_listed, default=100, metavar="N", help="how many to list; 100 if left out"
    )


def _add_replay(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", help="whose messages")
    parser.add_argument(
        "--id", dest="ids", action="append", metavar="ID", help="which; all of them if left out"
    )


def _run() -> int:
    from worker.supervisor.run import run_service

    return run_service()


def _perform(**wishes: Any) -> int:
    from worker.process.perform import perform_messages

    return perform_messages(**wishes)


def _scheduler() -> int:
    from worker.scheduler import run_scheduler

    return run_scheduler()


def _migrate() -> int:
    from datetime import UTC, datetime

    from config import current_settings
    from models.db.database import hold_connection, open_database
    from models.migrate import migrate
    from models.server import begin_boot, is_latest_stopping

    open_database(current_settings())
    now = datetime.now(UTC)
    applied = migrate(now)
    # Where the processes have no supervisor, this is what takes an earlier shutdown back.
    with hold_connection():
        if is_latest_stopping():
            begin_boot(now)
    print("\n".join(applied) or "The database is up to date.")
    return 0


def _reseal() -> int:
    from worker.cli.reseal import run_resealing

    return run_resealing()


def _queue_key() -> int:
    from catfeeder.sealing import QUEUE_LABEL, KeyRing, key_to_text
    from config import current_settings

    keys = KeyRing(current_settings().secret_keys()).keys(QUEUE_LABEL)
    print(key_to_text(keys[0]))
    return 0


def _webhook_key() -> int:
    from actors.webhooks import export_webhook_key

    print(export_webhook_key())
    return 0


def _make_key(**wishes: Any) -> int:
    from worker.cli.keys import run_key_making

    return run_key_making(**wishes)


def _renewals(**wishes: Any) -> int:
    from worker.cli.renewals import run_renewal_listing

    return run_renewal_listing(**wishes)


def _queues(**wishes: Any) -> int:
    from worker.cli.queues import run_queue_listing

    return run_queue_listing(**wishes)


def _replay(**wishes: Any) -> int:
    from worker.cli.queues import run_replay

    return run_replay(**wishes)


def _check_provider(name: str) -> int:
    from worker.cli.providers import run_provider_check

    return run_provider_check(name)


_COMMANDS: Final[dict[str, Callable[..., int]]] = {
    "run": _run,
    "perform": _perform,
    "scheduler": _scheduler,
    "migrate": _migrate,
    "reseal": _reseal,
    "queue-key": _queue_key,
    "webhook-key": _webhook_key,
    "make-key": _make_key,
    "renewals": _renewals,
    "queues": _queues,
    "replay": _replay,
    "check-provider": _check_provider,
}

if __name__ == "__main__":
    sys.exit(main())
