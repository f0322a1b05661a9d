"""Restoring of an export's settings by `import`: each record's outcome is printed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from actors.errors import AuthError
from actors.moving.file_import import Refusal
from actors.moving.files import FileRecord
from actors.moving.restoring import KINDS, Restoration
from catfeeder.queue.requester import DEFAULT_APP, is_app_id


def take_settings(records: Iterator[FileRecord]) -> tuple[list[FileRecord], Iterator[FileRecord]]:
    """Return the records that an export begins with, its settings, and all that follow."""
    settings: list[FileRecord] = []
    for record in records:
        if (record.members or {}).get("kind") not in KINDS:
            return settings, chain([record], records)
        settings.append(record)
    return settings, iter(())


def find_app(settings: Iterable[FileRecord]) -> str:
    """Return the app that an export is of; `default` where nothing says it."""
    for record in settings:
        members = record.members or {}
        if members.get("kind") == "app" and is_app_id(members.get("id")):
            return str(members["id"])
    return DEFAULT_APP


def restore_settings(settings: Iterable[FileRecord], restoration: Restoration) -> list[Refusal]:
    """Restore settings, print what came of each, and return those that were refused."""
    refused: list[Refusal] = []
    for record in settings:
        members = record.members or {}
        name = str(members.get("name" if members.get("kind") == "provider" else "id"))
        shown = f"{str(members['kind']).replace('_', ' ')} {ascii(name)[1:65]}".rstrip("'")
        try:
            print(f"{shown}: {restoration.restore(members)}")
        except AuthError as error:
            print(f"{shown}: refused")
            refused.append(Refusal(record.number, error.code, error.public_detail))
    return refused
