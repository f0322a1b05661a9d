"""Commands of the service as a whole: moving in and out, the database, settings, completion."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.cli.terminal.commands import noun, verb
from worker.cli.terminal.options import Json, OneApp

config = noun("The settings of .env and config.toml.")
rows = noun("Rows of the database that another program has written.")


def import_file(
    file: Annotated[str, typer.Argument(metavar="FILE", help="JSON Lines, a JSON list, or CSV.")],
    *,
    app: Annotated[
        str | None,
        typer.Option(metavar="APP", help="Whose they become; an export's own, else default."),
    ] = None,
    provider: Annotated[
        str | None, typer.Option(metavar="NAME", help="The provider of records that name none.")
    ] = None,
    maps: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="MEMBER=PATH",
            help="Where a member stands, such as refresh_token=token_secret; repeatable.",
        ),
    ] = None,
    renames: Annotated[
        list[str] | None,
        typer.Option(
            "--rename",
            metavar="THEIRS=OURS",
            help="Our name of a provider, such as google-oauth2=google; repeatable.",
        ),
    ] = None,
    file_format: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="jsonl, json or csv, if not as named."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would come of it, and store nothing.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Prove each new grant by one renewal.")
    ] = False,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Take the place of grants that work, where an account has another."
        ),
    ] = False,
    identity: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Restore an export, with the age identity in this file."),
    ] = None,
    keys: Annotated[
        bool, typer.Option("--keys", help="Restore the API keys of an export as well.")
    ] = False,
    report: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Where refused records are listed."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Move connections of another system in, from a file."""
    from worker.cli.imports import import_file

    return import_file(
        file,
        app,
        provider=provider,
        maps=maps or (),
        renames=renames or (),
        file_format=file_format,
        dry_run=dry_run,
        verify=verify,
        replace=replace,
        report=report,
        identity=identity,
        keys=keys,
        as_json=as_json,
    )


def export_app(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Such as web-shop.jsonl.age.")],
    recipients: Annotated[
        list[str],
        typer.Option(
            "--recipient", metavar="KEY", help="An age public key, age1…, to read it; repeatable."
        ),
    ],
    app: OneApp = "default",
    as_json: Json = False,
) -> int:
    """Write all of an app, encrypted to an age recipient."""
    from worker.cli.exports import export_app

    return export_app(file, app, recipients=recipients, as_json=as_json)


def back_up(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Such as catfeeder.backup.")],
    as_json: Json = False,
) -> int:
    """Write the whole database to a file, beside the running service; no key is in it."""
    from worker.cli.backups import back_up_database

    return back_up_database(file, as_json=as_json)


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
