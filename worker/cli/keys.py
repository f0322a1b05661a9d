"""`python -m worker make-key`: makes an API key for an app, without the admin's key and HTTP."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta

from actors.api_keys import make_api_key
from catfeeder.clock import utc_now
from catfeeder.queue.requester import DEFAULT_APP
from config import current_settings
from models.db.database import open_database
from models.migrate import check_schema


def make_key(
    app: str, name: str, scopes: Sequence[str], days: int | None, requests_per_minute: int
) -> int:
    """Make a key for an app and print it alone on stdout, to be piped to its place unseen.

    `days` is how long it serves, None without an end.

    Raises:
        ApiKeyInvalid: It cannot be made so.
        ConfigurationError: The database cannot be used.
    """
    now = utc_now()
    open_database(current_settings(), may_create=False)
    check_schema()
    made = make_api_key(
        app=app,
        name=name,
        scopes=scopes,
        requests_per_minute=requests_per_minute,
        expires_at=None if days is None else now + timedelta(days=days),
        now=now,
    )
    print(made["key"])
    end = f"until {made['expires_at']}" if made["expires_at"] else "without an end"
    owner = "" if made["app"] == DEFAULT_APP else f" of {made['app']}"
    print(
        f"Key {made['id']}{owner} serves {', '.join(made['scopes'])}, {end}.",
        file=sys.stderr,
    )
    return 0
