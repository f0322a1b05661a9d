"""Arguments of the commands that move connections in and out."""

from __future__ import annotations

import argparse


def add_import_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `import`."""
    add = parser.add_argument
    add("file", help="JSON Lines, a JSON list, or CSV whose first line names the columns")
    text = "whose they become; that of an export, else `default`'s, if left out"
    add("--app", help=text)
    add("--provider", help="the provider of records that name none")
    text = "where a member stands, such as refresh_token=token_secret or scope=extra_data.scope"
    add("--map", dest="maps", action="append", default=[], metavar="MEMBER=PATH", help=text)
    text = "our name of a provider, by the other system's, such as google-oauth2=google"
    add("--rename", dest="renames", action="append", default=[], metavar="THEIRS=OURS", help=text)
    text = "jsonl, json or csv; as the file's name says if left out"
    add("--format", dest="file_format", choices=("jsonl", "json", "csv"), help=text)
    add("--dry-run", action="store_true", help="say what would come of it, and store nothing")
    add("--verify", action="store_true", help="prove each new grant by one renewal")
    text = "take the place of grants that work, where an account has another one"
    add("--replace", action="store_true", help=text)
    text = "restore an app that `export` has written, with the age identity in this file"
    add("--identity", metavar="FILE", help=text)
    text = "restore the API keys of an export as well, so that they serve here too"
    add("--keys", action="store_true", help=text)
    text = "where each refused record is listed; a file in VAR_DIR/imports if left out"
    add("--report", metavar="FILE", help=text)


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `export`."""
    add = parser.add_argument
    add("file", help="where the export is written, such as web-shop.jsonl.age")
    add("--app", default="default", help="which app; `default` if left out")
    text = "an age public key that it is encrypted to, age1…; may be given several times"
    add("--recipient", dest="recipients", action="append", required=True, metavar="KEY", help=text)
