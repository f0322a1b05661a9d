"""`python -m worker export`: writes all of an app, encrypted to an age recipient."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from actors.app_settings import read_app_settings
from actors.moving.age import encrypt
from actors.moving.exporting import export_lines
from config import current_settings
from models.db.database import open_database
from models.migrate import check_schema


def export_app(file: str, app: str, *, recipients: Sequence[str]) -> int:
    """Write all of an app to a new file; return 1 where a row could not be read.

    Raises:
        AgeUnavailable, ImportFileInvalid: As `encrypt`.
        AppUnknown: There is no such app.
        ConfigurationError, DatabaseUnreachable, SchemaTooOld: The database cannot be used.
    """
    open_database(current_settings(), may_create=False)
    check_schema()
    read_app_settings(app)
    counts: Counter[str] = Counter()
    path = Path(file)
    draft = path.with_name(f"{path.name}.part")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as output:
            encrypt(export_lines(app, counts), output, recipients)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    found = ", ".join(f"{counts[name]} {name}" for name in ("connections", "providers", "keys"))
    print(f"The app {app} is in {path}: {found}.")
    if counts["unreadable"]:
        text = "could not be read; `python -m worker check-rows` lists rows that do not count."
        print(f"{counts['unreadable']} {text}", file=sys.stderr)
    return 1 if counts["unreadable"] else 0
