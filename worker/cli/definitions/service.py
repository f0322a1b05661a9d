"""Commands of the service as a whole: the database, settings, completion."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.terminal.commands import noun, verb
from worker.cli.terminal.options import Json, Overwrite

config = noun("The settings of .env and config.toml.")
rows = noun("Rows of the database that another program has written.")


def back_up(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Such as catfeeder.backup.")],
    may_overwrite: Overwrite = False,
    as_json: Json = False,
) -> int:
    """Write the whole database to a file, beside the running service; no key is in it."""
    from worker.cli.backups import back_up_database

    return back_up_database(file, may_overwrite=may_overwrite, as_json=as_json)


def restore(
    file: Annotated[str, typer.Argument(metavar="FILE", help="What `backup` has written.")],
    as_json: Json = False,
) -> int:
    """Put a backup in place of an unused database, and say what must be signed in again."""
    from worker.cli.backups import restore_database

    return restore_database(file, as_json=as_json)


def migrate(as_json: Json = False) -> int:
    """Bring the database's tables up to date, and take an earlier shutdown back."""
    from worker.cli.migrate import migrate_database

    return migrate_database(as_json=as_json)


def reseal(as_json: Json = False) -> int:
    """Seal what is stored with a changed SECRET_KEY."""
    from worker.cli.reseal import reseal

    return reseal(as_json=as_json)


def print_completion(
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> int:
    """Print what a shell completes the word `worker` by, which then runs these commands."""
    from worker.cli.completion import print_completion

    return print_completion(shell)


@verb(config, "check")
def check_settings(as_json: Json = False) -> int:
    """Look the settings over, and whether database and broker can be used."""
    from worker.cli.settings_check import print_findings

    return print_findings(as_json=as_json)


@verb(rows, "list")
def list_rows(as_json: Json = False) -> int:
    """List the rows that do not count, as this service has not written them so."""
    from worker.cli.rows import check_rows

    return check_rows(None, as_json=as_json)


@verb(rows, "accept")
def accept_row(
    table: Annotated[str, typer.Argument(metavar="TABLE")],
    key: Annotated[str, typer.Argument(metavar="KEY")],
) -> int:
    """Sign a row as it is, after you have looked at it."""
    from worker.cli.rows import check_rows

    return check_rows([table, key])
