"""Requester context: the app, and the API key behind a request, carried along to the worker."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

#: The app of a service that has only one; it always exists.
DEFAULT_APP: Final = "default"
#: The app that the current request or message acts for; what it stores belongs to that app.
acting_app: Final[ContextVar[str]] = ContextVar("acting_app", default=DEFAULT_APP)
#: What people call that app, where a process knows it and has use for it.
app_name: Final[ContextVar[str | None]] = ContextVar("app_name", default=None)
#: True while the operator acts for no app in particular, and finds what belongs to any.
sees_all_apps: Final[ContextVar[bool]] = ContextVar("sees_all_apps", default=False)
#: The most rounds of a hash that an app may ask for by a message of its own. None stands for the
#: service's bound, and for what the web process sends, which knows the app's.
maximum_rounds: Final[ContextVar[int | None]] = ContextVar("maximum_rounds", default=None)
#: None for the schedule, and for what an app sealed with its queue key.
requester: Final[ContextVar[str | None]] = ContextVar("requester", default=None)
#: The options of a message of the service that carry both; an app's message has neither.
REQUESTER_OPTION: Final = "requester"
APP_OPTION: Final = "app"
#: The option by which an opened message names the key of an app that sealed it; never sent.
SEALED_BY_OPTION: Final = "sealed_by"
_ID: Final = re.compile("[a-z0-9-]{1,32}")
_APP_ID: Final = re.compile("[a-z0-9][a-z0-9-]{0,31}")


def is_requester(value: object) -> bool:
    """Return whether a value can be the id of an API key."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def is_app_id(value: object) -> bool:
    """Return whether a value can be the id of an app: 1 to 32 of `a-z`, `0-9` and `-`."""
    return isinstance(value, str) and _APP_ID.fullmatch(value) is not None


def is_visible(app: str) -> bool:
    """Return whether what belongs to `app` exists for the current request or message."""
    return sees_all_apps.get() or app == acting_app.get()


def visible_app() -> str | None:
    """Return the one app whose rows a listing holds; None where those of every app are visible."""
    return None if sees_all_apps.get() else acting_app.get()


@contextmanager
def act_for(app: str) -> Iterator[None]:
    """Act for an app within the block, and see what is its own alone."""
    tokens = acting_app.set(app), sees_all_apps.set(False)
    try:
        yield
    finally:
        acting_app.reset(tokens[0])
        sees_all_apps.reset(tokens[1])
