"""`keys queue`, `queue-roots` and `webhook`: print a key that is derived from SECRET_KEY."""

from __future__ import annotations

import sys

from catfeeder.queue.keys import AppKey
from catfeeder.queue.requester import DEFAULT_APP
from catfeeder.sealing import QUEUE_LABEL, KeyRing
from config import Settings, current_settings
from worker.queue.roots import export_queue_roots


def print_queue_key(app: str) -> int:
    """Print the queue key of an app, of its current generation.

    Before the first start there is the app `default`, whose key was never revoked.

    Raises:
        AppUnknown: There is no such app.
        ConfigurationError: SECRET_KEY is not set, or the database cannot be used.
    """
    settings = current_settings()
    root = KeyRing(settings.secret_keys()).keys(QUEUE_LABEL)[0]
    print(AppKey.derive(root, app, _find_generation(settings, app)).to_text())
    return 0


def print_queue_roots() -> int:
    """Print the value of QUEUE_KEYS for a process that performs the queue `passwords` alone.

    Raises:
        ConfigurationError: SECRET_KEY is not set.
    """
    print(export_queue_roots(current_settings()))
    return 0


def _find_generation(settings: Settings, app: str) -> int:
    # Loaded late: other commands of this module need no tables.
    from actors.apps.registration import describe_app
    from models.db.database import open_database
    from models.db.errors import DatabaseMissing, SchemaTooOld
    from models.migrate import is_schema_current

    try:
        open_database(settings, may_create=False)
    except DatabaseMissing as error:
        if app != DEFAULT_APP:
            raise
        print(f"{error} Until then this key serves.", file=sys.stderr)
        return 1
    if is_schema_current():
        return describe_app(app)["queue_generation"]
    if app != DEFAULT_APP:
        raise SchemaTooOld
    return 1


def print_webhook_key(app: str) -> int:
    """Print the key by which the receiver of an app's webhook checks a signature.

    Raises:
        AppUnknown: There is no such app.
        ConfigurationError: SECRET_KEY is not set.
    """
    # It loads the tables, which the other key does not need.
    from actors.apps.registration import describe_app
    from actors.events.webhooks import export_webhook_key
    from models.db.database import open_database

    if app != DEFAULT_APP:
        open_database(current_settings(), may_create=False)
        describe_app(app)
    print(export_webhook_key(app))
    return 0
