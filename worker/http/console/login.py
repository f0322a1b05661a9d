"""Routes of the console's login: a key opens a session, and a logout ends it."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from catfeeder.errors import CatFeederError
from catfeeder.sealing import Secret
from worker.http.auth.api_keys import Scope
from worker.http.auth.client_address import get_client_address
from worker.http.console.access import LOGIN_PATH, LOGOUT_PATH, SESSION_ENDED, ConsoleRoute
from worker.http.console.rendering import read_visit
from worker.http.errors.refusals import KeyLacksScope, KeyRequired
from worker.http.errors.statuses import get_status
from worker.http.pages.forms import check_origin, read_form
from worker.http.pages.problem_pages import render_problem
from worker.http.pages.templating import render_page
from worker.http.shim import Shim, ShimDependency

_SESSION_ENDED: Final = (
    "Your session had ended before this form was sent: nothing was changed, and what you typed is "
    "not kept. Sign in, and send it again."
)
#: Without a session: the login itself.
public_router = APIRouter(include_in_schema=False)
router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)


@public_router.get(LOGIN_PATH)
async def show_login(request: Request) -> Response:
    """Show the form."""
    fault = _SESSION_ENDED if SESSION_ENDED in request.query_params else None
    return render_page("console/login.html", fault=fault)


@public_router.post(LOGIN_PATH)
async def log_in(request: Request, shim: ShimDependency) -> Response:
    """Begin a session by a key, or say what is wrong with it."""
    try:
        check_origin(request)
        api_key = Secret((await read_form(request)).get("api_key", "").strip())
    except CatFeederError as error:
        return render_problem(error)
    response = RedirectResponse("/console", 303)
    try:
        await _check_key(shim, request, api_key)
        await shim.console_sessions.begin(response, api_key)
    except CatFeederError as error:
        status = get_status(error.code)
        return render_page("console/login.html", status=status, fault=error.public_detail)
    return response


async def _check_key(shim: Shim, request: Request, api_key: Secret) -> None:
    """Return if a key may open the console.

    Raises:
        KeyRequired, KeyUnknown, TooManyWrongKeys, DatabaseUnreachable: As for the API.
        KeyLacksScope: It is an app's key.
    """
    if not api_key:
        raise KeyRequired("Enter the key that ADMIN_API_KEY of .env holds.")
    address = get_client_address(request)
    caller = await shim.api_keys.identify(api_key.reveal(), address)
    if Scope.CONSOLE_READ not in caller.scopes:
        raise KeyLacksScope(
            "This key belongs to an app. The console takes ADMIN_API_KEY, or a key with the scope "
            "admin or console:read."
        )


@router.post(LOGOUT_PATH)
async def log_out(request: Request, shim: ShimDependency) -> Response:
    """End the session."""
    response = RedirectResponse(LOGIN_PATH, 303)
    await shim.console_sessions.end(response, read_visit(request).session)
    return response
