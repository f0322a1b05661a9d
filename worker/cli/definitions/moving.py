"""`import` and `export`: connections move in from a file, and all of an app moves out."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from worker.cli.terminal.options import Json, OneApp, Overwrite

_File: TypeAlias = Annotated[
    str, typer.Argument(metavar="FILE", help="JSON Lines, a JSON list, or CSV.")
]
_Owner: TypeAlias = Annotated[
    str | None,
    typer.Option("--app", metavar="APP", help="Whose they become; an export's own, else default."),
]
_Provider: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME", help="The provider of records that name none.")
]
_Maps: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="MEMBER=PATH",
        help="Where a member stands, such as refresh_token=token_secret; repeatable.",
    ),
]
_Renames: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--rename",
        metavar="THEIRS=OURS",
        help="Our name of a provider, such as google-oauth2=google; repeatable.",
    ),
]
_Format: TypeAlias = Annotated[
    str | None,
    typer.Option("--format", metavar="FORMAT", help="jsonl, json or csv, if not as named."),
]
_DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Say what would come of it, and store nothing.")
]
_Verify: TypeAlias = Annotated[
    bool, typer.Option("--verify", help="Prove each new grant by one renewal.")
]
_Replace: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--replace", help="Take the place of grants that work, where an account has another."
    ),
]
_Identity: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Restore an export, with the age identity in this file."),
]
_Keys: TypeAlias = Annotated[
    bool, typer.Option("--keys", help="Restore the API keys of an export as well.")
]
_Report: TypeAlias = Annotated[
    str | None, typer.Option(metavar="FILE", help="Where refused records are listed.")
]


def import_file(
    file: _File,
    *,
    app: _Owner = None,
    provider: _Provider = None,
    maps: _Maps = None,
    renames: _Renames = None,
    file_format: _Format = None,
    dry_run: _DryRun = False,
    verify: _Verify = False,
    replace: _Replace = False,
    identity: _Identity = None,
    keys: _Keys = False,
    report: _Report = None,
    as_json: Json = False,
) -> int:
    """Move connections of another system in, from a file."""
    from worker.cli.imports import ImportOptions, import_file

    options = ImportOptions(
        app=app,
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
    )
    return import_file(file, options, as_json=as_json)


def export_app(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Such as web-shop.jsonl.age.")],
    recipients: Annotated[
        list[str],
        typer.Option(
            "--recipient", metavar="KEY", help="An age public key, age1…, to read it; repeatable."
        ),
    ],
    app: OneApp = "default",
    may_overwrite: Overwrite = False,
    as_json: Json = False,
) -> int:
    """Write all of an app, encrypted to an age recipient."""
    from worker.cli.exports import ExportOptions, export_app

    options = ExportOptions(app, recipients, may_overwrite=may_overwrite)
    return export_app(file, options, as_json=as_json)
