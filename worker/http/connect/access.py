"""Access to connect pages: a session's browser alone, and of every change a form's token."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from actors.connect.sessions import CONNECT_PATH, find_session
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError
from catfeeder.queue.requester import acting_app, sees_all_apps
from models.oauth.connect_sessions import TAB_CONNECT_SESSIONS
from worker.http.asgi.threads import run_with_database
from worker.http.auth.connect_cookies import derive_csrf_token
from worker.http.connect.endings import render_ending
from worker.http.errors.refusals import ParametersInvalid
from worker.http.pages.forms import read_own_form
from worker.http.shim import Shim

SESSION_PATH: Final = f"{CONNECT_PATH}/{{session_id}}"
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True)
class ConnectVisit:
    """The session of a request, the token of its forms, and the fields of the form that came."""

    session: TAB_CONNECT_SESSIONS
    csrf_token: str
    form: dict[str, str]

    @property
    def path(self) -> str:
        """The address of the page."""
        return f"{CONNECT_PATH}/{self.session.id}"


class ConnectRoute(APIRoute):
    """A route of a session's browser; an error is a page in the browser's language."""

    def get_route_handler(self) -> _Handler:
        """Return FastAPI's hook: a handler that runs the guards first."""
        handle = super().get_route_handler()

        async def enter_and_handle(request: Request) -> Response:
            try:
                request.state.visit = await _enter(request)
                return await handle(request)
            except CatFeederError as error:
                return render_ending(request, error)
            except RequestValidationError:
                return render_ending(request, ParametersInvalid())

        return enter_and_handle


def read_visit(request: Request) -> ConnectVisit:
    """Return the visit that `ConnectRoute` has found."""
    visit: ConnectVisit = request.state.visit
    return visit


async def _enter(request: Request) -> ConnectVisit:
    """Return the visit, and act for the session's app.

    Raises:
        ConnectLinkUnknown, ConnectLinkExpired, ConnectLinkTaken: As `find_session`.
        FormForged: A change did not come from a form of this session.
    """
    shim: Shim = request.app.state.shim
    session_id = request.path_params["session_id"]
    browser = shim.connect_cookies.read(request, session_id)
    session = await run_with_database(find_session, session_id, browser, utc_now())
    acting_app.set(session.app)
    sees_all_apps.set(False)
    csrf_token = derive_csrf_token(browser) if browser else ""
    if request.method in ("GET", "HEAD"):
        return ConnectVisit(session, csrf_token, {})
    return ConnectVisit(session, csrf_token, await read_own_form(request, csrf_token))
