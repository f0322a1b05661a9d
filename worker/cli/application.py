"""The command line as a whole: every command's place, and what ends it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Final

import typer
from typer._completion_classes import completion_init

from worker.cli.completion import VARIABLE
from worker.cli.definitions import (
    apps,
    connections,
    events,
    jobs,
    keys,
    moving,
    passwords,
    providers,
    queues,
    renewals,
    service,
    webhooks,
)
from worker.cli.old_names import translate_old_names
from worker.cli.terminal.commands import verb

_PROGRAM: Final = "python -m worker"
_HELP: Final = "Cat Feeder's auth worker. docs/command-line.md has all of it, exit codes included."
#: Commands of the service's own processes: `worker.__main__` runs them, without this module.
_PROCESSES: Final = {
    "run": "Start the whole service; Ctrl-C drains and stops it.",
    "web": "Serve HTTP, at HOST and PORT or as config.toml says.",
    "perform": "Perform the messages of some queues.",
    "scheduler": "Ask for renewals and clean-ups when they are due.",
}
_NOUNS: Final = {
    "connections": connections.connections,
    "providers": providers.providers,
    "jobs": jobs.jobs,
    "queues": queues.queues,
    "apps": apps.apps,
    "keys": keys.keys,
    "webhooks": webhooks.webhooks,
    "passwords": passwords.passwords,
    "config": service.config,
    "rows": service.rows,
}
_COMMANDS: Final[dict[str, Callable[..., int]]] = {
    "events": events.list_events,
    "renewals": renewals.list_renewals,
    "import": moving.import_file,
    "export": moving.export_app,
    "backup": service.back_up,
    "restore": service.restore,
    "migrate": service.migrate,
    "reseal": service.reseal,
    "completion": service.print_completion,
}


def run_command(arguments: Sequence[str]) -> int:
    """Carry out what is typed, and return the status."""
    completion_init()
    command = typer.main.get_command(build_application())
    try:
        command.main(translate_old_names(arguments), prog_name=_PROGRAM, complete_var=VARIABLE)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def build_application() -> typer.Typer:
    """Return the commands, by noun and verb."""
    application = typer.Typer(
        help=_HELP, add_completion=False, no_args_is_help=True, rich_markup_mode=None
    )
    application.callback()(_begin)
    for name, text in _PROCESSES.items():
        application.command(name, help=text)(_leave_to_main)
    for name, group in _NOUNS.items():
        application.add_typer(group, name=name)
    for name, function in _COMMANDS.items():
        verb(application, name)(function)
    return application


def _leave_to_main() -> None:
    """Stand for a process of the service in the help."""


def _print_version(is_asked: bool) -> None:
    if is_asked:
        import catfeeder

        print(f"catfeeder {catfeeder.__version__}")
        raise typer.Exit


def _begin(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it."),
    ] = False,
) -> None:
    """Take the options that stand before every command."""
