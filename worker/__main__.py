"""Command line, `python -m worker`: parses a command, and loads what that command needs alone."""

from __future__ import annotations

import argparse
import os
import pkgutil
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from worker.cli.moving_arguments import add_export_arguments, add_import_arguments

#: What a shell reports for a program that Ctrl-C ended: 128 and the signal's number.
_INTERRUPTED: Final = 130
#: And for one whose output has no reader any more (SIGPIPE).
_NOT_READ: Final = 141

#: The function behind each command; its parameters are the parser's, and it returns the status.
COMMANDS: Final[Mapping[str, str]] = {
    "run": "worker.supervisor.run:run_service",
    "perform": "worker.process.perform:perform_messages",
    "scheduler": "worker.scheduler:run_scheduler",
    "migrate": "worker.cli.migrate:migrate_database",
    "reseal": "worker.cli.reseal:reseal",
    "check-rows": "worker.cli.rows:check_rows",
    "queue-key": "worker.cli.derived_keys:print_queue_key",
    "queue-roots": "worker.cli.derived_keys:print_queue_roots",
    "webhook-key": "worker.cli.derived_keys:print_webhook_key",
    "redis-acl": "worker.cli.redis_acl:print_redis_acl",
    "make-key": "worker.cli.keys:make_key",
    "apps": "worker.cli.apps:manage_apps",
    "renewals": "worker.cli.renewals:print_renewals",
    "queues": "worker.cli.queues:print_queues",
    "replay": "worker.cli.queues:replay",
    "discard": "worker.cli.queues:discard",
    "export": "worker.cli.exports:export_app",
    "import": "worker.cli.imports:import_file",
    "check-provider": "worker.cli.providers:print_findings",
    "providers": "worker.cli.catalogue:print_presets",
}


#: Settings of an app that are lists, by the option that adds to one.
_APP_LISTS: Final = (
    ("provider", "NAME", "a shared provider that it may use, several times; all if left out"),
    (
        "scope",
        "SCOPE",
        "what its API keys may be allowed, several times; all but admin if left out",
    ),
    ("return-to-origin", "ORIGIN", "where its users' browsers may be sent, several times"),
)
_APP_VERBS: Final = ("list", "add", "change", "delete", "revoke-queue-key")


def main(arguments: list[str] | None = None) -> int:
    """Carry out one command and return its status; an error is one sentence on stderr and 1."""
    wishes = vars(_parser().parse_args(arguments))
    _see_all_apps()
    try:
        return _carry_out(wishes.pop("command"), wishes)
    except BrokenPipeError:
        # A reader such as `head` has read enough; the interpreter's end must not write either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _NOT_READ
    except KeyboardInterrupt:
        return _INTERRUPTED


def _see_all_apps() -> None:
    """Let commands find what belongs to any app: the operator runs them."""
    from catfeeder.queue.requester import sees_all_apps

    sees_all_apps.set(True)


def _carry_out(command: str, wishes: dict[str, Any]) -> int:
    from catfeeder.errors import CatFeederError

    try:
        status = int(pkgutil.resolve_name(COMMANDS[command])(**wishes))
    except CatFeederError as error:
        print(error, file=sys.stderr)
        return 1
    except (PermissionError, FileNotFoundError) as error:
        # A file that no setting names, such as one of the service's own.
        print(f"{error.filename or 'A file'} cannot be used: {error.strerror}.", file=sys.stderr)
        return 1
    # Here, and not at the interpreter's end, a missing reader is noticed.
    sys.stdout.flush()
    return status


def _number_from(
    minimum: int, maximum: int, read: Callable[[str], float] = int
) -> Callable[[str], float]:
    """Return a parser of numbers from `minimum` to `maximum`; argparse shows its name in errors."""

    def number(text: str) -> float:
        if not minimum <= read(text) <= maximum:
            raise argparse.ArgumentTypeError(f"must be {minimum} to {maximum}")
        return read(text)

    return number


_DAYS: Final = _number_from(1, 3650)
_COUNT: Final = _number_from(1, 100_000)
_CONCURRENCY: Final = _number_from(1, 1000)
_SECONDS: Final = _number_from(0, 3600, float)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m worker", description="Cat Feeder's service.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="start the whole service; Ctrl-C drains and stops it")
    _add_perform(commands.add_parser("perform", help="perform the messages of some queues"))
    commands.add_parser("scheduler", help="ask for renewals and clean-ups when they are due")
    commands.add_parser("migrate", help="bring the database's tables up to date")
    commands.add_parser("reseal", help="seal what is stored with a changed SECRET_KEY")
    rows = commands.add_parser("check-rows", help="list rows that something else has written")
    text = "sign this row as it is, after you have looked at it"
    rows.add_argument("--accept", nargs=2, metavar=("TABLE", "KEY"), help=text)
    text = "print QUEUE_KEYS, which a process of the passwords may have in place of SECRET_KEY"
    commands.add_parser("queue-roots", help=text)
    _add_app(commands.add_parser("queue-key", help="print an app's key for the queue"))
    _add_app(commands.add_parser("webhook-key", help="print the key of a webhook's receiver"))
    acl = commands.add_parser("redis-acl", help="print the rights in Redis of a user of its own")
    acl.add_argument(
        "app", nargs="?", help="the app whose client it is for; the service if left out"
    )
    _add_make_key(commands.add_parser("make-key", help="make an API key for an app and print it"))
    _add_apps(commands.add_parser("apps", help="list, make and change the apps of the service"))
    _add_renewals(commands.add_parser("renewals", help="list what would be renewed when and why"))
    _add_queues(commands.add_parser("queues", help="list what waits, and which messages failed"))
    _add_letters(commands.add_parser("replay", help="send anew what failed or was set aside"))
    _add_letters(commands.add_parser("discard", help="delete what failed or was set aside"))
    text = "move connections of another system in, from a file"
    add_import_arguments(commands.add_parser("import", help=text))
    text = "write all of an app, encrypted to an age recipient"
    add_export_arguments(commands.add_parser("export", help=text))
    check = commands.add_parser("check-provider", help="look a provider's settings over")
    check.add_argument("name", help="the provider's name, such as google")
    _add_providers(commands.add_parser("providers", help="find a provider in the catalogue"))
    return parser


def _add_perform(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--schedule", action="store_true", help="emit the schedule as well, as `scheduler` does")
    text = "passwords, oauth, renewals or control"
    add("--queues", nargs="+", required=True, metavar="QUEUE", help=text)
    add("--threads", type=_CONCURRENCY, required=True, help="how many messages at once")
    text = "how many messages to hold, running ones included; as many as threads at most"
    add("--prefetch", type=_CONCURRENCY, required=True, metavar="N", help=text)
    text = "how many messages of one app at once; as many as threads if left out"
    add("--per-app", type=_CONCURRENCY, default=0, metavar="N", help=text)
    text = "how long a running job may go on after a signal to stop"
    add("--grace", dest="grace_seconds", type=_SECONDS, required=True, metavar="SECONDS", help=text)


def _add_app(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--app", default="default", help="whose key; `default`'s if left out")


def _add_make_key(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("name", help="what it is for, in your words")
    add("--app", default="default", help="the app that it acts for; `default` if left out")
    text = "jobs, connections:read, tokens:read or admin; may be given several times"
    add("--scope", dest="scopes", action="append", required=True, metavar="SCOPE", help=text)
    add("--days", type=_DAYS, help="how long it serves; without an end if left out")
    add("--requests-per-minute", type=int, default=600, metavar="N", help="600 if left out")


def _add_apps(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("verb", nargs="?", choices=_APP_VERBS, default="list")
    add("id", nargs="?", help="the app's id: 1 to 32 of a-z, 0-9 and -")
    add("--name", help="what people call it; its id if left out")
    text = "the dearest hash that it may ask for, or have checked; 16 if left out"
    add("--maximum-rounds", type=int, metavar="N", help=text)
    text = "how many requests all of its API keys may make; as many as they like if left out"
    add("--requests-per-minute", type=int, metavar="N", help=text)
    for option, metavar, text in _APP_LISTS:
        add(
            f"--{option}",
            dest=f"{option}s".replace("-", "_"),
            action="append",
            metavar=metavar,
            help=text,
        )
    add("--webhook-url", metavar="URL", help="where its events are posted; nowhere if left out")
    text = "whether a browser without a key may begin a sign-in for it"
    add("--allow-login", action=argparse.BooleanOptionalAction, default=None, help=text)


def _add_providers(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("verb", choices=("search",), help="list the presets whose name has these words")
    add("words", nargs="*", metavar="WORD", help="such as notion; all presets if left out")
    _add_limit(parser)


def _add_renewals(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--provider", help="of this provider alone, such as google")
    add("--failing", action="store_true", help="only what has failed or needs its user")
    add("--days", type=_DAYS, default=1, help="how far to look ahead; a day if left out")
    _add_limit(parser)


def _add_queues(parser: argparse.ArgumentParser) -> None:
    text = "list the messages of this queue that failed or were set aside"
    parser.add_argument("queue", nargs="?", help=text)
    _add_app_filter(parser)
    _add_limit(parser)


def _add_app_filter(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--app", help="the messages of this app alone; of all if left out")


def _add_limit(parser: argparse.ArgumentParser) -> None:
    text = "how many to list; 100 if left out"
    parser.add_argument("--limit", type=_COUNT, default=100, metavar="N", help=text)


def _add_letters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", help="whose messages")
    _add_app_filter(parser)
    text = "which; all of them if left out"
    parser.add_argument("--id", dest="ids", action="append", metavar="ID", help=text)


if __name__ == "__main__":
    sys.exit(main())
