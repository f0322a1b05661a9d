"""`backup` and `restore`: the whole database as a file, and what a restore cannot bring back."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import catfeeder
from actors.passwords.pepper import list_peppers
from catfeeder.clock import rfc3339, utc_now
from config import current_settings
from models.backup.backup import back_up, count_due_since, restore
from models.db.database import describe_database, open_database, removed_if_new
from models.migrate import migrate
from worker.cli.terminal.files import open_whole
from worker.cli.terminal.output import json_answer


def back_up_database(file: str, *, may_overwrite: bool = False, as_json: bool = False) -> int:
    """Write the whole database to a file, beside the running service.

    Raises:
        ConfigurationError, DatabaseUnreachable, SchemaTooOld: The database cannot be used.
        FileThere, OSError: As `open_whole`.
    """
    settings = current_settings()
    open_database(settings, may_create=False)
    with json_answer(as_json) as answer:
        with open_whole(Path(file), may_overwrite=may_overwrite) as output:
            head, counts = back_up(output, rfc3339(utc_now()), catfeeder.__version__)
        peppers = [pepper.key_id for pepper in list_peppers(settings)]
        answer.update(file=file, key_ids=head["key_ids"], pepper_ids=peppers, counts=dict(counts))
        print(f"{describe_database(settings)} is in {file}: {_describe(counts)}.")
        print(
            f"It holds no key. Keep the SECRET_KEY of the id {', '.join(head['key_ids'])} apart "
            "from it: without it no token in it can be read."
        )
        if peppers:
            print(
                f"Keep the PASSWORD_PEPPER of the id {', '.join(peppers)} likewise: without it no "
                "password can be checked that your apps store hashed with it."
            )
    return 0


def restore_database(file: str, *, as_json: bool = False) -> int:
    """Put a backup in place of an unused database, and print what is to be done then.

    Raises:
        BackupInvalid, DatabaseInUse, ForeignSecretKey: Nothing is restored.
        ConfigurationError, DatabaseUnreachable: The database cannot be used.
    """
    settings, now = current_settings(), utc_now()
    with json_answer(as_json) as answer:
        with removed_if_new(settings):
            open_database(settings)
            head, counts = restore(Path(file))
        migrate(now)
        made_at = head["made_at"]
        due = dict(count_due_since(now))
        answer.update(made_at=made_at, counts=dict(counts), may_need_sign_in=due)
        print(f"The backup of {made_at} is in {describe_database(settings)}: {_describe(counts)}.")
        _advise(due)
    return 0


def _advise(due: dict[str, int]) -> None:
    """Print what the file cannot know of: what happened after it was made."""
    for provider, count in due.items():
        print(
            f"{provider}: {count} connections have fallen due for renewal. Those that were renewed "
            "since the backup must sign in again where the provider takes a refresh token once."
        )
    if not due:
        print("No connection has fallen due for renewal since: none has to be signed in again.")
    print(
        "Also begin again: sign-ins that were under way, and connections made since the backup. "
        "`python -m worker renewals --failing` lists whose users have to, once the service runs."
    )
    print("Keys, queue keys and connections that were revoked since serve again: revoke them anew.")


def _describe(counts: Counter[str]) -> str:
    names = ("connections", "user_oauth_connection", "apps", "api_keys", "events")
    shown = ", ".join(f"{counts[name]} {name}" for name in names)
    return shown.replace("user_oauth_connection", "providers").replace("api_keys", "API keys")
