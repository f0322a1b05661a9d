"""Commands and their errors: a sentence on stderr and a status, and no traceback.

docs/command-line.md lists the statuses.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import typer
from typer.core import TyperCommand

from worker.cli.terminal.sentences import say_in_commands

#: What a shell reports for a program whose output has no reader any more: 128 and SIGPIPE.
_NOT_READ: Final = 141
#: A fault of the program, as sysexits.h has it.
_FAULT: Final = 70
#: What happens to files whose names an error does not have.
_OF_FILES: Final = {
    errno.EACCES,
    errno.EDQUOT,
    errno.ENOENT,
    errno.ENOSPC,
    errno.EPERM,
    errno.EROFS,
}
#: Signals that end a program where it does nothing about them.
_ENDING: Final = (signal.SIGHUP, signal.SIGTERM)
_TRACEBACK: Final = "CATFEEDER_TRACEBACK"


def noun(text: str) -> typer.Typer:
    """Return a group of verbs with its line of help."""
    return typer.Typer(help=text, no_args_is_help=True)


def verb(
    group: typer.Typer, name: str, *, is_hidden: bool = False
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Add a command to a group; its function returns the status, its docstring is the help."""
    return group.command(name, cls=_Command, hidden=is_hidden)


class _Command(TyperCommand):
    """A command of the operator, who sees what belongs to any app."""

    def invoke(self, ctx: Any) -> Any:
        """Carry the command out, and end with its status."""
        with report_errors():
            _see_all_apps()
            status = super().invoke(ctx)
            # Here, and not at the interpreter's end, a missing reader is noticed.
            sys.stdout.flush()
        if status:
            raise typer.Exit(status)


def _see_all_apps() -> None:
    from catfeeder.queue.requester import sees_all_apps

    sees_all_apps.set(True)


@contextmanager
def report_errors() -> Iterator[None]:
    """Turn what ends a command early into a sentence on stderr and a status.

    Raises:
        typer.Exit: With the status.
    """
    from catfeeder.errors import CatFeederError

    try:
        with _end_on_signals():
            yield
    except CatFeederError as error:
        print(say_in_commands(str(error)), file=sys.stderr)
        raise typer.Exit(1) from None
    except BrokenPipeError:
        # A reader such as `head` has read enough; the interpreter's end must not write either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(_NOT_READ) from None
    except Exception as error:
        if isinstance(error, OSError) and (error.filename or error.errno in _OF_FILES):
            # A file that no setting names, such as one of the service's own, or of an option.
            print(_describe_file_error(error), file=sys.stderr)
            raise typer.Exit(1) from None
        # typer's own ends are passed on: they are no faults.
        if os.environ.get(_TRACEBACK) or type(error).__module__.startswith("typer"):
            raise
        kind = type(error).__name__
        text = f"This is a fault of the program ({kind}): {_TRACEBACK}=1 shows where."
        print(text, file=sys.stderr)
        raise typer.Exit(_FAULT) from None


@contextmanager
def _end_on_signals() -> Iterator[None]:
    """Let SIGTERM, and a terminal that is closed, end a command as Ctrl-C does: it tidies up."""
    former = {number: signal.getsignal(number) for number in _ENDING}
    # What runs a command in a thread, or ignores a signal as nohup does, keeps its own.
    taken = [number for number in former if former[number] is signal.SIG_DFL]
    if threading.current_thread() is not threading.main_thread():
        taken = []
    for number in taken:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _end(number: int, _frame: object) -> None:
    # What a shell reports for a program that a signal has ended.
    sys.exit(128 + number)


def _describe_file_error(error: OSError) -> str:
    """Return a sentence about what a file that an error names lacks, its folder perhaps."""
    # Of two files, one that was renamed, the second has the name that was asked for.
    file = Path(str(error.filename2 or error.filename or "A file"))
    if isinstance(error, FileNotFoundError) and not file.parent.exists():
        return f"The folder {file.parent} is not there: make it first, or name another."
    return f"{file} cannot be used: {error.strerror}."
