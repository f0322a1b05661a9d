"""App settings: what the operator lets one app use and ask for, as every process reads it."""

from __future__ import annotations

import threading
import time
from typing import Annotated, Final, TypedDict

from actors.errors import AuthError
from catfeeder.queue.requester import DEFAULT_APP
from config import current_settings
from models.apps import TAB_APPS
from models.db.database import hold_connection

#: How long another process may go on with settings that were changed.
_TTL_SECONDS: Final = 2.0
_cache: Final[dict[str, tuple[AppSettings, str, float]]] = {}
_lock: Final = threading.Lock()


class AppUnknown(AuthError):
    """Raised for an app's id without a row."""

    message = "There is no app of that id; `python -m worker apps list` lists those that there are."


class AppTampered(AuthError):
    """Raised for an app whose row this service has not written as it is: it lets nothing in."""

    message = (
        "The app's row was changed in the database by something else than this service: "
        "`python -m worker rows list` says what to do."
    )


class AppSettings(TypedDict, total=False):
    """What an operator may set for an app; what is left out has no bound of the app's own."""

    providers: Annotated[list[str], "The shared providers that it may use; all if left out."]
    scopes: Annotated[list[str], "What its API keys may be allowed; all but `admin` if left out."]
    return_to_origins: Annotated[list[str], "Where its users' browsers may be sent in the end."]
    maximum_rounds: Annotated[int, "The dearest hash that it may ask for, or have checked."]
    requests_per_minute: Annotated[int, "How many requests all of its API keys may make."]
    allow_login: Annotated[bool, "Whether a browser without a key may begin a sign-in for it."]
    webhook_url: Annotated[str, "Where its events are posted; none if left out."]
    logo: Annotated[str, "What its users' pages show beside its name: a `data:` URL (RFC 2397)."]


def read_app_settings(app: str) -> AppSettings:
    """Return an app's settings; `default` falls back on config.toml.

    Raises:
        AppUnknown: There is no such app.
        AppTampered: Something else has written its row.
        DatabaseUnreachable: They are not cached, and the database is away.
    """
    return _read(app)[0]


def read_app_name(app: str) -> str:
    """Return what people call an app; raises as `read_app_settings`."""
    return _read(app)[1]


def _read(app: str) -> tuple[AppSettings, str]:
    now = time.monotonic()
    settings, name, until = _cache.get(app, ({}, "", 0.0))
    if until > now:
        return settings, name
    with hold_connection():
        row = TAB_APPS.find(app)
    if row is None and app != DEFAULT_APP:
        raise AppUnknown
    # The default app always exists: without its row, its bounds would be gone.
    if row is None or not row.is_authentic:
        raise AppTampered
    settings = {**_defaults(app), **row.settings}
    with _lock:
        _cache[app] = (settings, row.name, now + _TTL_SECONDS)
    return settings, row.name


def find_webhook_url(app: str) -> str | None:
    """Return where an app's events are posted; None without such an address, or such an app."""
    try:
        return read_app_settings(app).get("webhook_url") or None
    except (AppUnknown, AppTampered):
        return None


def forget_app_settings() -> None:
    """Read all settings anew from now on, since some were changed here."""
    with _lock:
        _cache.clear()


def _defaults(app: str) -> AppSettings:
    if app != DEFAULT_APP:
        return {"allow_login": False}
    oauth = current_settings().oauth
    origins = list(oauth.return_to_origins)
    return {
        "allow_login": True,
        "return_to_origins": origins,
        "webhook_url": oauth.webhook_url,
    }
