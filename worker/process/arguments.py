"""Arguments of the service's own processes, as the Procfile has them."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from typing import Final


@functools.cache
def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the processes' commands."""
    parser = argparse.ArgumentParser(prog="python -m worker", description="Cat Feeder's service.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="start the whole service; Ctrl-C drains and stops it")
    commands.add_parser("web", help="serve HTTP, at HOST and PORT or as config.toml says")
    _add_perform(commands.add_parser("perform", help="perform the messages of some queues"))
    commands.add_parser("scheduler", help="ask for renewals and clean-ups when they are due")
    return parser


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
