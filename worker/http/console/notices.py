"""Notices: what a page says of the change before it; a link names one, and holds no words."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse

_PARAMETER: Final = "notice"
_NOTICES: Final = {
    "app-made": "The app is made. It needs a key next.",
    "app-changed": "The app is changed; all processes follow within seconds.",
    "app-deleted": "The app is deleted, and its keys with it.",
    "key-revoked": "The key is revoked; within five seconds no process accepts it.",
    "queue-key-revoked": (
        "The queue keys of up to now are revoked. `python -m worker keys queue --app …` prints the "
        "new one."
    ),
}


def go_to(request: Request, path: str, notice: str) -> RedirectResponse:
    """Lead on to a page, of the app that this request acts for, and have it show a notice."""
    app = request.query_params.get("app")
    query = {_PARAMETER: notice, **({"app": app} if app else {})}
    return RedirectResponse(f"{path}?{urlencode(query)}", 303)


def find_notice(request: Request) -> str | None:
    """Return the words of the notice that a request names, if there is one of that name."""
    return _NOTICES.get(request.query_params.get(_PARAMETER, ""))
