"""Access to the console: its route class demands a session, and of every change a form's token."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import RedirectResponse

from actors.apps.settings import AppUnknown, read_app_settings
from catfeeder.errors import CatFeederError
from catfeeder.queue.requester import acting_app, is_app_id, requester, sees_all_apps
from worker.http.asgi.threads import run_with_database
from worker.http.auth.api_keys import Caller, Scope
from worker.http.auth.console_sessions import ConsoleSession
from worker.http.errors.refusals import KeyLacksScope
from worker.http.pages.forms import read_own_form
from worker.http.pages.problem_pages import render_invalid_request, render_problem
from worker.http.shim import Shim

LOGIN_PATH: Final = "/console/login"
LOGOUT_PATH: Final = "/console/logout"
#: Of the login's address, where a form was sent without a session.
SESSION_ENDED: Final = "ended"
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True)
class Visit:
    """The session of a request, its caller, and the fields of the form that it sends."""

    session: ConsoleSession
    caller: Caller
    form: dict[str, str]

    @property
    def may_change(self) -> bool:
        """Whether the caller may do more than look."""
        return Scope.ADMIN in self.caller.scopes


class ConsoleRoute(APIRoute):
    """A route of the console: without a session it leads to the login, and an error is a page."""

    def get_route_handler(self) -> _Handler:
        """Return FastAPI's hook: a handler that runs the guards first."""
        handle = super().get_route_handler()

        async def enter_and_handle(request: Request) -> Response:
            try:
                visit = await _enter(request)
                if visit is None:
                    return _lead_to_login(request)
                request.state.visit = visit
                return await handle(request)
            except CatFeederError as error:
                return render_problem(error, _find_way_back(request))
            except RequestValidationError as error:
                return render_invalid_request(error)

        return enter_and_handle


def _lead_to_login(request: Request) -> Response:
    """Lead to the login, which says so where a form came after its session had ended."""
    is_change = request.method not in ("GET", "HEAD") and request.url.path != LOGOUT_PATH
    return RedirectResponse(f"{LOGIN_PATH}?{SESSION_ENDED}" if is_change else LOGIN_PATH, 303)


def _find_way_back(request: Request) -> str:
    """Return the page above a request's own: of a change, the page whose form was sent."""
    above = request.url.path.rpartition("/")[0]
    query = request.url.query
    return f"{above}?{query}" if query else above


async def _enter(request: Request) -> Visit | None:
    """Return the visit, and act for the app that the query names; None without a session.

    Raises:
        FormForged: A change did not come from a form of this session.
        KeyLacksScope: The session may look alone.
        AppUnknown: There is no such app.
    """
    shim: Shim = request.app.state.shim
    session = await shim.console_sessions.read(request)
    if session is None:
        return None
    caller = await shim.api_keys.find_caller(session.api_key.reveal())
    if caller is None or Scope.CONSOLE_READ not in caller.scopes:
        return None
    requester.set(caller.name)
    await _act_for_app(request.query_params.get("app") or None)
    if request.method in ("GET", "HEAD"):
        return Visit(session, caller, {})
    return await _check_change(request, session, caller)


async def _act_for_app(wanted: str | None) -> None:
    if wanted is not None:
        if not is_app_id(wanted):
            raise AppUnknown
        await run_with_database(read_app_settings, wanted)
        acting_app.set(wanted)
    sees_all_apps.set(wanted is None)


async def _check_change(request: Request, session: ConsoleSession, caller: Caller) -> Visit:
    form = await read_own_form(request, session.csrf_token)
    if Scope.ADMIN not in caller.scopes and request.url.path != LOGOUT_PATH:
        raise KeyLacksScope("This session may only look: sign in with a key of the scope admin.")
    return Visit(session, caller, form)
