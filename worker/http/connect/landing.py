"""Routes of a link: it asks whether to go on, and binds its page to the browser that does.

A GET binds nothing: mail programs and chats open the links in messages to look at them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.responses import RedirectResponse, Response

from actors.connect.sessions import CONNECT_PATH, find_link, open_link
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError
from catfeeder.queue.requester import acting_app, sees_all_apps
from catfeeder.sealing import Secret
from models.oauth.connect_sessions import TAB_CONNECT_SESSIONS
from worker.http.asgi.threads import run_with_database
from worker.http.connect.endings import render_ending
from worker.http.connect.rendering import read_brand
from worker.http.pages.forms import check_origin, read_form
from worker.http.pages.languages import choose_language
from worker.http.pages.templating import render_page
from worker.http.shim import Shim, ShimDependency
from worker.http.sign_ins.start import limit_refusals

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class LinkRoute(APIRoute):
    """A route of a link that no browser need have opened; an error is a page."""

    def get_route_handler(self) -> _Handler:
        """Return FastAPI's hook: a handler that turns errors into pages."""
        handle = super().get_route_handler()

        async def handle_and_render(request: Request) -> Response:
            try:
                return await handle(request)
            except CatFeederError as error:
                return render_ending(request, error)

        return handle_and_render


router = APIRouter(route_class=LinkRoute, include_in_schema=False)


@router.get(CONNECT_PATH)
async def show_link(request: Request, shim: ShimDependency) -> Response:
    """Ask whether to go on, or lead the browser that has opened the link to its page."""
    token = Secret(request.query_params.get("link", ""))
    session = await _find(shim, request, token)
    if session.browser_hash is not None:
        return _lead_on(session)
    language = choose_language(request)
    acting_app.set(session.app)
    sees_all_apps.set(False)
    brand = await run_with_database(read_brand, session.app)
    return render_page(
        "connect/landing.html",
        language=language.tag,
        words=language.words["connect"],
        brand=brand,
        subject=session.subject,
        link=token.reveal(),
    )


@router.post(CONNECT_PATH)
async def follow_link(request: Request, shim: ShimDependency) -> Response:
    """Bind the link's page to this browser, and lead it there."""
    check_origin(request)
    token = Secret((await read_form(request)).get("link", ""))
    session = await _find(shim, request, token)
    response = _lead_on(session)
    if session.browser_hash is None:
        browser = shim.connect_cookies.generate_secret()
        await run_with_database(open_link, token, browser, utc_now())
        shim.connect_cookies.bind(request, response, session.id, browser)
    return response


async def _find(shim: Shim, request: Request, token: Secret) -> TAB_CONNECT_SESSIONS:
    """Return the session of a link that this browser may open.

    Raises:
        ConnectLinkUnknown, ConnectLinkExpired, ConnectLinkTaken: It may not.
        TooManyAttempts: Too many such links came from this address.
    """
    browser = shim.connect_cookies.read_by_token(request, token)
    try:
        return await run_with_database(find_link, token, browser, utc_now())
    except CatFeederError:
        await limit_refusals(shim, request)
        raise


def _lead_on(session: TAB_CONNECT_SESSIONS) -> RedirectResponse:
    return RedirectResponse(f"{CONNECT_PATH}/{session.id}", 303)
