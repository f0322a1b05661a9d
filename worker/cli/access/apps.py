"""`apps`: the apps that share the service, and the revocation of queue keys."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from actors.apps import registration
from actors.apps.logos import encode_logo
from actors.apps.registration import App, AppInvalid
from catfeeder.clock import utc_now
from catfeeder.errors import QueueUnreachable
from catfeeder.queue.redis.connection import connect_redis
from config import ConfigurationError, Settings
from worker.cli.terminal.output import print_json, print_members, print_rows
from worker.cli.terminal.session import open_tables
from worker.queue.client import queue_sealer
from worker.queue.key_list import publish
from worker.supervisor.valkey.embedded import find_running_url

_HEADS: Final = ("ID", "NAME", "PROVIDERS", "SCOPES", "ALLOWS LOGIN", "WEBHOOK")


def print_apps(*, as_json: bool) -> int:
    """Print all apps."""
    open_tables()
    found = registration.list_apps()
    if as_json:
        print_json({"items": found})
    else:
        print_rows(_HEADS, map(_to_row, found))
    return 0


def _to_row(app: App) -> tuple[object, ...]:
    shown: Mapping[str, Any] = app
    return (
        *(app["id"], app["name"], shown.get("providers"), shown.get("scopes")),
        *(bool(shown.get("allow_login")), shown.get("webhook_url")),
    )


def print_app(app_id: str, *, as_json: bool) -> int:
    """Print an app.

    Raises:
        AppUnknown: There is none.
    """
    open_tables()
    found = registration.describe_app(app_id)
    if as_json:
        print_json(found)
    else:
        print_members({**found, "logo": "yes"} if "logo" in found else found)
    return 0


def read_logo(path: Path | None) -> str | None:
    """Return the image of a file as the setting has it.

    Raises:
        AppInvalid: There is no such file.
    """
    if path is None:
        return None
    try:
        return encode_logo(path.read_bytes())
    except OSError:
        raise AppInvalid({"logo": f"is a file that cannot be read: {path}"}) from None


def add_app(app_id: str, name: str | None, settings: Mapping[str, Any], *, as_json: bool) -> int:
    """Make an app.

    Raises:
        AppInvalid, AppExists: It cannot be made so.
    """
    service = open_tables()
    made = registration.create_app(app_id, name or app_id, settings, utc_now())
    _publish(service)
    if as_json:
        print_json(made)
    else:
        print(f"App {app_id} is made; `python -m worker keys make --app {app_id}` is next.")
    return 0


def change_app(app_id: str, name: str | None, settings: Mapping[str, Any], *, as_json: bool) -> int:
    """Change settings of an app.

    Raises:
        AppInvalid, AppUnknown: It cannot be changed so.
    """
    service = open_tables()
    changes = settings if name is None else {**settings, "name": name}
    changed = registration.change_app(app_id, changes, utc_now())
    _publish(service)
    if as_json:
        print_json(changed)
    else:
        print(f"App {app_id} is changed; running processes follow within seconds.")
    return 0


def delete_app(app_id: str) -> int:
    """Delete an app.

    Raises:
        AppUnknown, AppInUse: It cannot be deleted.
    """
    service = open_tables()
    registration.delete_app(app_id, utc_now())
    _publish(service)
    print(f"App {app_id} is deleted, and its keys with it.")
    return 0


def revoke_queue_key(app_id: str) -> int:
    """Revoke an app's queue keys of up to now.

    Raises:
        AppUnknown: There is none.
    """
    service = open_tables()
    registration.revoke_queue_key(app_id, utc_now())
    _publish(service)
    print(f"It is revoked; `python -m worker keys queue --app {app_id}` prints the new one.")
    return 0


def _publish(settings: Settings) -> None:
    """Let the processes without the database know which queue keys serve, without a delay."""
    # Where no Redis runs there is no such process; else the scheduler does it in seconds.
    with contextlib.suppress(QueueUnreachable, ConfigurationError):
        url = settings.redis_url or find_running_url(settings.var_dir)
        publish(connect_redis(url), queue_sealer(settings))
