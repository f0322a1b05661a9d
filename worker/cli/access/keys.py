"""`keys`: API keys, without the admin's key and HTTP."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from actors.api_keys import ApiKey, MadeApiKey, list_api_keys, make_api_key, revoke_api_key
from catfeeder.clock import utc_now
from catfeeder.queue.requester import DEFAULT_APP
from worker.cli.terminal.confirmation import confirm
from worker.cli.terminal.output import print_json, print_rows
from worker.cli.terminal.session import open_tables, see_app

_HEADS: Final = (
    "ID",
    "APP",
    "NAME",
    "SCOPES",
    "A MINUTE",
    "CREATED AT",
    "EXPIRES AT",
    "REVOKED AT",
)


def print_keys(app: str | None, *, as_json: bool) -> int:
    """Print the keys of an app, or of all.

    Raises:
        AppUnknown: There is no such app.
    """
    open_tables()
    with see_app(app):
        found = list_api_keys()
    if as_json:
        print_json({"items": found})
    else:
        print_rows(_HEADS, map(_to_row, found))
    return 0


def _to_row(key: ApiKey) -> tuple[object, ...]:
    return (
        *(key["id"], key["app"], key["name"], key["scopes"], key["requests_per_minute"]),
        *(key["created_at"], key["expires_at"], key["revoked_at"]),
    )


def make_key(
    app: str,
    name: str,
    scopes: Sequence[str],
    days: int | None,
    requests_per_minute: int,
    *,
    as_json: bool = False,
) -> int:
    """Make a key for an app and print it alone on stdout, to be piped to its place unseen.

    `days` is how long it serves, None without an end.

    Raises:
        ApiKeyInvalid: It cannot be made so.
        ConfigurationError: The database cannot be used.
    """
    now = utc_now()
    open_tables()
    made = make_api_key(
        app=app,
        name=name,
        scopes=scopes,
        requests_per_minute=requests_per_minute,
        expires_at=None if days is None else now + timedelta(days=days),
        now=now,
    )
    if as_json:
        print_json(made)
    else:
        _print_made(made)
    return 0


def _print_made(made: MadeApiKey) -> None:
    """Print a key on stdout, and what is to be known of it on stderr."""
    print(made["key"])
    end = f"until {made['expires_at']}" if made["expires_at"] else "without an end"
    owner = "" if made["app"] == DEFAULT_APP else f" of {made['app']}"
    print(
        f"Key {made['id']}{owner} serves {', '.join(made['scopes'])}, {end}.",
        file=sys.stderr,
    )


def revoke_key(key_id: str, *, is_sure: bool) -> int:
    """Revoke a key.

    Raises:
        ApiKeyUnknown: There is none, or it was revoked before.
        NotConfirmed: The operator does not want it, or is not there to be asked.
    """
    open_tables()
    confirm(f"Revoke the key {key_id}?", is_sure=is_sure)
    revoke_api_key(key_id, utc_now())
    print(f"Key {key_id} is revoked.")
    return 0
