"""`python -m worker apps`: the apps that share the service, and the revocation of queue keys."""

from __future__ import annotations

import contextlib
from typing import Any

from actors.apps import AppInvalid, change_app, create_app, delete_app, list_apps, revoke_queue_key
from catfeeder.clock import utc_now
from catfeeder.errors import QueueUnreachable
from catfeeder.queue.redis_connection import connect_redis
from config import ConfigurationError, Settings, current_settings
from models.db.database import open_database
from models.migrate import check_schema
from worker.key_list import publish
from worker.queue import queue_sealer
from worker.supervisor.valkey.embedded import find_running_url


def manage_apps(
    verb: str,
    id: str | None,  # noqa: A002
    name: str | None,
    **settings: Any,
) -> int:
    """Carry out one verb: `list`, `add`, `change`, `delete` or `revoke-queue-key`, and an app's id.

    `settings` are those of `AppSettings`; None stands for one that is left as it is.

    Raises:
        AppInvalid, AppExists, AppUnknown, AppInUse: It cannot be done so.
        ConfigurationError: The database cannot be used.
    """
    service = current_settings()
    open_database(service, may_create=False)
    check_schema()
    if verb == "list":
        for app in list_apps():
            print(f"{app['id']:<32}  {app['name']}")
        return 0
    if id is None:
        raise AppInvalid({"id": f"is missing: python -m worker apps {verb} ID"})
    bounds = {setting: value for setting, value in settings.items() if value is not None}
    _change(verb, id, name, bounds)
    _publish(service)
    return 0


def _change(verb: str, id: str, name: str | None, bounds: dict[str, Any]) -> None:  # noqa: A002
    if verb == "add":
        made = create_app(id, name or id, bounds, utc_now())
        print(f"App {made['id']} is made; python -m worker make-key --app {made['id']} is next.")
    elif verb == "change":
        change_app(id, bounds if name is None else {**bounds, "name": name}, utc_now())
        print(f"App {id} is changed; running processes follow within seconds.")
    elif verb == "delete":
        delete_app(id, utc_now())
        print(f"App {id} is deleted, and its keys with it.")
    else:
        revoke_queue_key(id, utc_now())
        print(f"It is revoked; python -m worker queue-key --app {id} prints the new one.")


def _publish(settings: Settings) -> None:
    """Let the processes without the database know which queue keys serve, without a delay."""
    # Where no Redis runs there is no such process; else the scheduler does it in seconds.
    with contextlib.suppress(QueueUnreachable, ConfigurationError):
        url = settings.redis_url or find_running_url(settings.var_dir)
        publish(connect_redis(url), queue_sealer(settings))
