"""Command line, `python -m worker`: runs the service's processes, and all other commands.

The processes load no library of the command line: each would pay for it as long as it runs.
"""

from __future__ import annotations

import argparse
import pkgutil
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

#: What a shell reports for a program that Ctrl-C ended: 128 and the signal's number.
_INTERRUPTED: Final = 130
#: The function behind each process; its parameters are the parser's, and it returns the status.
PROCESSES: Final[Mapping[str, str]] = {
    "run": "worker.supervisor.run:run_service",
    "web": "worker.http.serve:serve_http",
    "perform": "worker.process.perform:perform_messages",
    "scheduler": "worker.scheduler:run_scheduler",
}


def main(arguments: list[str] | None = None) -> int:
    """Carry out one command and return its status; an error is one sentence on stderr and 1."""
    typed = sys.argv[1:] if arguments is None else arguments
    if typed[:1] and typed[0] in PROCESSES:
        wishes = vars(_parser().parse_args(typed))
        return _run_process(wishes.pop("command"), wishes)
    from worker.cli.application import run_command

    return run_command(typed)


def _run_process(name: str, wishes: dict[str, Any]) -> int:
    from worker.telemetry.switch import keep_out_unwanted

    keep_out_unwanted(name)
    from catfeeder.errors import CatFeederError
    from catfeeder.queue.requester import sees_all_apps

    # The shim acts for one app after the other, as each request's key says.
    sees_all_apps.set(name != "web")
    try:
        return int(pkgutil.resolve_name(PROCESSES[name])(**wishes))
    except CatFeederError as error:
        print(error, file=sys.stderr)
    except (PermissionError, FileNotFoundError) as error:
        # A file that no setting names, such as one of the service's own.
        print(f"{error.filename or 'A file'} cannot be used: {error.strerror}.", file=sys.stderr)
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 1


def _number_from(
    minimum: int, maximum: int, read: Callable[[str], float] = int
) -> Callable[[str], float]:
    """Return a parser of numbers from `minimum` to `maximum`; argparse shows its name in errors."""

    def number(text: str) -> float:
        if not minimum <= read(text) <= maximum:
            raise argparse.ArgumentTypeError(f"must be {minimum} to {maximum}")
        return read(text)

    return number


_CONCURRENCY: Final = _number_from(1, 1000)
_SECONDS: Final = _number_from(0, 3600, float)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m worker", description="Cat Feeder's service.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="start the whole service; Ctrl-C drains and stops it")
    commands.add_parser("web", help="serve HTTP, at HOST and PORT or as config.toml says")
    _add_perform(commands.add_parser("perform", help="perform the messages of some queues"))
    commands.add_parser("scheduler", help="ask for renewals and clean-ups when they are due")
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


if __name__ == "__main__":
    sys.exit(main())
