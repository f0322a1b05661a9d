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
    "renewal-done": "The provider has renewed the token.",
    "renewal-failed": "The renewal failed: the state and the events below say why.",
    "renewal-begun": "The renewal takes longer; its outcome will stand here.",
    "user-info-done": "The profile is what the provider says of the user now.",
    "user-info-failed": "The provider did not tell the profile; the jobs' page has the reason.",
    "user-info-begun": "The provider takes longer; its answer will stand here.",
    "disconnect-done": "The connection is disconnected and erased; an event says what was revoked.",
    "disconnect-failed": "The connection could not be disconnected just now; try it again.",
    "disconnect-begun": "The connection is being disconnected, which takes longer.",
    "key-revoked": "The key is revoked; within five seconds no process accepts it.",
    "provider-made": "The provider is added. A check says whether it can work.",
    "provider-changed": "The settings are saved, and hold from now on.",
    "provider-paused": "Its renewals are paused until they are resumed.",
    "provider-resumed": "Its renewals go on; what waited is due at once.",
    "provider-deleted": "The provider is deleted, and its secrets with it.",
    "deliveries-resent": "What can be sent anew is on its way; its answer stands here in seconds.",
    "queue-paused": "The queue is paused: no worker fetches from it until it is resumed.",
    "queue-resumed": "The queue is resumed: its workers fetch from it again.",
    "letters-replayed": "They are sent anew, each under the id of its job.",
    "letters-left": (
        "Some were left: gone, not to be opened, or their job waits, runs or has succeeded."
    ),
    "letters-discarded": "They are discarded for good.",
    "job-cancelled": "The job is cancelled: no worker will begin it.",
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
