"""Apps: the operator's list of those that share the service, each with what it may use."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, TypedDict

from actors.apps.checks import find_app_problems
from actors.apps.settings import AppSettings, AppTampered, AppUnknown, forget_app_settings
from actors.errors import AuthError
from actors.events.audit import record
from actors.events.kinds import EventKind
from catfeeder.clock import rfc3339
from catfeeder.queue.requester import DEFAULT_APP, act_for, is_app_id
from catfeeder.results import Time
from models.api_keys import TAB_API_KEYS
from models.apps import TAB_APPS
from models.db.database import hold_connection, transaction
from models.events import TAB_EVENTS
from models.oauth.connect_sessions import TAB_CONNECT_SESSIONS
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.devices import TAB_DEVICE_AUTHORIZATIONS
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION
from models.oauth.sign_ins import TAB_VERIFICATION


class AppExists(AuthError):
    """Raised on making an app of an id that is taken."""

    message = "There is an app of that id; PATCH changes it."


class AppInUse(AuthError):
    """Raised on deleting an app that has connections, or that always exists."""

    message = "The app has connections: disconnect its users first."


class AppInvalid(AuthError):
    """Raised on making or changing an app; `fields` has a sentence for each wrong setting."""

    message = "The app's settings cannot be used."

    def __init__(self, fields: Mapping[str, str]) -> None:
        problems = "; ".join(f"{name}: {problem}" for name, problem in fields.items())
        super().__init__(f"The app's settings cannot be used: {problems}.")
        self.fields = dict(fields)


class App(AppSettings):
    """An app; times are RFC 3339."""

    id: Annotated[str, "What `Catfeeder-App` and `?app=` name it by."]
    name: str
    queue_generation: Annotated[int, "That of its queue key; a revocation raises it."]
    created_at: Time
    updated_at: Time


class AppList(TypedDict):
    """All apps, by id."""

    items: list[App]


def create_app(app_id: str, name: str, settings: Mapping[str, Any], now: datetime) -> App:
    """Make an app.

    Raises:
        AppInvalid: The id, the name or a setting cannot be used.
        AppExists: There is one of that id.
    """
    problems = find_app_problems(name, settings)
    if not is_app_id(app_id):
        problems["id"] = "must be 1 to 32 of a-z, 0-9 and -, and not begin with -"
    if problems:
        raise AppInvalid(problems)
    with transaction():
        if not TAB_APPS.add(app_id, name, settings, now):
            raise AppExists
        _record(EventKind.APP_CHANGED, app_id, now, created=True)
    return describe_app(app_id)


def change_app(app_id: str, changes: Mapping[str, Any], now: datetime) -> App:
    """Change settings by a JSON merge patch (RFC 7396): null removes one.

    Raises:
        AppUnknown, AppTampered: There is no such app, or its row is not ours.
        AppInvalid: The name or a setting cannot be used.
    """
    with transaction():
        row = _find(app_id)
        merged = {**row.settings, "name": row.name, **changes}
        settings = {name: value for name, value in merged.items() if value is not None}
        name = settings.pop("name", "")
        if problems := find_app_problems(name, settings):
            raise AppInvalid(problems)
        row.change(name, settings, now)
        if "webhook_url" in changes and "webhook_url" not in settings:
            TAB_EVENTS.cancel_deliveries(app_id)
        _record(EventKind.APP_CHANGED, app_id, now, fields=sorted(changes))
    forget_app_settings()
    return describe_app(app_id)


def delete_app(app_id: str, now: datetime) -> None:
    """Delete an app without connections, with its keys, sign-ins and own providers.

    Raises:
        AppUnknown: There is no such app.
        AppInUse: It has connections, or is `default`.
    """
    with transaction():
        _find(app_id)
        if app_id == DEFAULT_APP:
            raise AppInUse("The app `default` always exists.")
        if TAB_CONNECTIONS.exists_in(app_id):
            raise AppInUse
        TAB_API_KEYS.revoke_all(app_id, now)
        TAB_VERIFICATION.erase_all(app_id)
        TAB_DEVICE_AUTHORIZATIONS.erase_all(app_id)
        TAB_CONNECT_SESSIONS.erase_all(app_id)
        TAB_USER_OAUTH_CONNECTION.erase_all(app_id)
        TAB_EVENTS.cancel_deliveries(app_id)
        TAB_APPS.erase(app_id)
        _record(EventKind.APP_CHANGED, app_id, now, erased=True)
    forget_app_settings()


def revoke_queue_key(app_id: str, now: datetime) -> App:
    """Revoke an app's queue keys of up to now, and return the app with its new generation.

    Raises:
        AppUnknown: There is no such app.
    """
    with transaction():
        _find(app_id).revoke_queue_key(now)
        generation = _find(app_id).queue_generation
        _record(EventKind.APP_CHANGED, app_id, now, queue_generation=generation)
    return describe_app(app_id)


def list_apps() -> list[App]:
    """Return all apps, by id."""
    with hold_connection():
        return [_describe(row) for row in TAB_APPS.list_all()]


def describe_app(app_id: str) -> App:
    """Return an app.

    Raises:
        AppUnknown: There is no such app.
    """
    with hold_connection():
        return _describe(_find(app_id))


def _find(app_id: str) -> TAB_APPS:
    row = TAB_APPS.find(app_id) if is_app_id(app_id) else None
    if row is None:
        raise AppUnknown
    if not row.is_authentic:
        raise AppTampered
    return row


def _record(kind: EventKind, app_id: str, now: datetime, **detail: Any) -> None:
    with act_for(app_id):
        record(kind, now=now, **detail)


def _describe(row: TAB_APPS) -> App:
    settings: AppSettings = row.settings
    return {
        "id": row.id,
        "name": row.name,
        **settings,
        "queue_generation": row.queue_generation,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }
