"""`python -m worker apps`: lists, makes and deletes the apps that share the service."""

from __future__ import annotations

from actors.apps import AppInvalid, create_app, delete_app, list_apps
from catfeeder.clock import utc_now
from config import current_settings
from models.db.database import open_database
from models.migrate import check_schema


def manage_apps(verb: str, id: str | None, name: str | None) -> int:  # noqa: A002
    """Carry out one verb: `list`, `add ID` or `delete ID`.

    Raises:
        AppInvalid, AppExists, AppUnknown, AppInUse: It cannot be done so.
        ConfigurationError: The database cannot be used.
    """
    open_database(current_settings())
    check_schema()
    if verb == "list":
        for app in list_apps():
            print(f"{app['id']:<32}  {app['name']}")
        return 0
    if id is None:
        raise AppInvalid({"id": f"is missing: python -m worker apps {verb} ID"})
    if verb == "add":
        made = create_app(id, name or id, {}, utc_now())
        print(f"App {made['id']} is made; python -m worker make-key --app {made['id']} is next.")
    else:
        delete_app(id, utc_now())
        print(f"App {id} is deleted, and its keys with it.")
    return 0
