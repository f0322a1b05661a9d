"""Apps: the operator's list of those that share the service, each with what it may use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, TypedDict
from urllib.parse import urlsplit

from actors.api_keys import SCOPES
from actors.app_settings import AppSettings, AppTampered, AppUnknown, forget_app_settings
from actors.audit import EventKind, record
from actors.errors import AuthError
from actors.passwords.rules import MAXIMUM_ROUNDS
from catfeeder.clock import rfc3339
from catfeeder.queue.requester import DEFAULT_APP, act_for, is_app_id
from catfeeder.results import Time
from config import current_settings, find_webhook_problem
from models.api_keys import TAB_API_KEYS
from models.apps import TAB_APPS
from models.db.database import hold_connection, transaction
from models.events import TAB_EVENTS
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION
from models.oauth.sign_ins import TAB_VERIFICATION

#: Without control characters, which a terminal would obey.
_NAME: Final = re.compile("[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,255}")
_MAX_REQUESTS_PER_MINUTE: Final = 1_000_000


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
    problems = _find_problems(name, settings)
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
        if problems := _find_problems(name, settings):
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


def _find_problems(name: str, settings: Mapping[str, Any]) -> dict[str, str]:
    """Return a sentence for the name and for each setting that cannot be used."""
    problems = {} if _NAME.fullmatch(name) else {"name": "must have 1 to 255 characters"}
    for setting, value in settings.items():
        check = _CHECKS.get(setting)
        if check is None:
            problems[setting] = f"is no setting of an app: those are {', '.join(_CHECKS)}"
        elif problem := check(value):
            problems[setting] = problem
    return problems


def _check_names(value: object) -> str | None:
    is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return None if is_list else "must be a list of texts"


def _check_scopes(value: object) -> str | None:
    allowed = [scope for scope in SCOPES if scope != "admin"]
    is_list = isinstance(value, list) and set(value) <= set(allowed)
    return None if is_list else f"must be some of {', '.join(allowed)}"


def _check_origins(value: object) -> str | None:
    if problem := _check_names(value):
        return problem
    assert isinstance(value, list)  # noqa: S101  # As `_check_names` found.
    wrong = [item for item in value if not _is_origin(item)]
    if wrong:
        return "must be origins such as https://shop.example.com, without a path or a slash"
    return None


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("https", "http") and text == f"{parts.scheme}://{parts.netloc}"


def _check_maximum_rounds(value: object) -> str | None:
    # Below the configured rounds, the app could not have a password hashed at all.
    least = current_settings().passwords.rounds
    is_bound = isinstance(value, int) and least <= value <= MAXIMUM_ROUNDS
    return None if is_bound else f"must be {least}, as config.toml has it, to {MAXIMUM_ROUNDS}"


def _check_rate(value: object) -> str | None:
    is_rate = isinstance(value, int) and 1 <= value <= _MAX_REQUESTS_PER_MINUTE
    return None if is_rate else f"must be 1 to {_MAX_REQUESTS_PER_MINUTE}"


def _check_flag(value: object) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _check_webhook_url(value: object) -> str | None:
    if not isinstance(value, str):
        return "must be a text"
    return find_webhook_problem(value, current_settings().allowed_private_hosts)


_CHECKS: Final = {
    "providers": _check_names,
    "scopes": _check_scopes,
    "return_to_origins": _check_origins,
    "maximum_rounds": _check_maximum_rounds,
    "requests_per_minute": _check_rate,
    "allow_login": _check_flag,
    "webhook_url": _check_webhook_url,
}
