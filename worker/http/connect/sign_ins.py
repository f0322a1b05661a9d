"""Routes that begin a sign-in, or show a code for another device."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import anyio
from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from actors.connect.accounts import find_account, note_connected
from actors.connect.offers import Offer, Way
from actors.connect.sessions import find_public_origin
from actors.errors import AuthError
from actors.oauth.sign_in import SignIn, SignInWishes
from catfeeder.errors import CatFeederError
from catfeeder.messages import AUTHORIZE_DEVICE
from catfeeder.results import DeviceAuthorization
from models.db.database import hold_connection
from models.oauth.connect_sessions import TAB_CONNECT_SESSIONS
from worker.http.asgi.threads import run_with_database
from worker.http.connect.access import SESSION_PATH, ConnectRoute, ConnectVisit, read_visit
from worker.http.connect.rendering import read_brand, render_connect
from worker.http.connect.setup import (
    PROVIDER_PATH,
    answer_failure,
    find_offer,
    read_variables,
    render_form,
)
from worker.http.pages.languages import Language, choose_language
from worker.http.pages.templating import render
from worker.http.shim import Shim, ShimDependency
from worker.http.sign_ins.start import limit_sign_ins, start_sign_in

router = APIRouter(route_class=ConnectRoute, include_in_schema=False)
_LIVE_SECONDS: Final = 2.0
_PENDING: Final = "pending"


@router.post(f"{PROVIDER_PATH}/sign-in")
async def begin_sign_in(provider: str, request: Request, shim: ShimDependency) -> Response:
    """Begin a sign-in that is bound to this browser, and lead it to the provider."""
    offer = await find_offer(request, provider)
    if not offer.has_sign_in:
        return await render_form(request, offer)
    browser = shim.sign_in_cookies.generate_secret()
    try:
        await limit_sign_ins(shim, request)
        wishes = await run_with_database(_collect_wishes, read_visit(request), offer)
        wishes["browser"] = browser
        begun = await start_sign_in(shim, request, offer.name, **wishes)
    except CatFeederError as error:
        return await answer_failure(request, offer, error)
    shim.metrics.logins.labels(offer.name).inc()
    response = await _lead_to(request, offer, begun)
    shim.sign_in_cookies.bind(request, response, begun, browser)
    return response


def _collect_wishes(visit: ConnectVisit, offer: Offer) -> SignInWishes:
    """Return what the sign-in is for; one that is made anew is for the account as it was."""
    session = visit.session
    wishes: SignInWishes = {
        "subject": session.subject or None,
        "relay": session.is_relayed,
        "variables": read_variables(visit.form),
        "return_to": session.return_to,
    }
    if not session.is_relayed:
        wishes["return_to"] = f"{find_public_origin()}{visit.path}/end?provider={offer.name}"
        wishes["returns_to_own_page"] = True
    if connection_id := visit.form.get("connection_id"):
        row = find_account(session, connection_id)
        wishes["variables"] = row.variables
        # Others than OpenID providers have no parameter of that name.
        email = row.profile.get("email") if offer.has_issuer else None
        wishes["login_hint"] = email if isinstance(email, str) else None
    return wishes


async def _lead_to(request: Request, offer: Offer, begun: SignIn) -> Response:
    """Answer with a page that leads on by itself.

    Browsers apply `form-action` to each redirect that follows a form, and providers redirect to
    hosts that nothing names beforehand.
    """
    brand = await run_with_database(read_brand, read_visit(request).session.app)
    return render_connect(
        request, "leaving.html", brand, offer=offer, address=begun.authorization_url
    )


@router.post(f"{PROVIDER_PATH}/device")
async def begin_device(provider: str, request: Request, shim: ShimDependency) -> Response:
    """Ask the provider for a code, and show it; only this answer has it."""
    visit, offer = read_visit(request), await find_offer(request, provider)
    try:
        if Way.DEVICE not in offer.ways:
            return await render_form(request, offer)
        await limit_sign_ins(shim, request)
        device = await _authorize(shim, offer, visit)
    except CatFeederError as error:
        return await answer_failure(request, offer, error)
    brand = await run_with_database(read_brand, visit.session.app)
    return render_connect(
        request,
        "device.html",
        brand,
        offer=offer,
        device=device,
        page=_find_page(device),
        status_part=_render_status(choose_language(request), visit, _PENDING),
    )


async def _authorize(shim: Shim, offer: Offer, visit: ConnectVisit) -> DeviceAuthorization:
    arguments: dict[str, Any] = {"subject": visit.session.subject or None, "scope": None}
    if variables := read_variables(visit.form):
        arguments["variables"] = variables
    seconds = shim.limits.code_exchange_seconds
    device: DeviceAuthorization = await shim.perform(
        AUTHORIZE_DEVICE, seconds, provider=offer.name, **arguments
    )
    return device


def _find_page(device: Mapping[str, Any]) -> str:
    """Return the provider's page for the code; only an address of the web is made a link."""
    page = str(device["verification_uri_complete"] or device["verification_uri"])
    return page if page.startswith(("https://", "http://")) else ""


@router.get(f"{SESSION_PATH}/devices/{{connection_id}}/live")
async def follow_device(connection_id: str, request: Request, shim: ShimDependency) -> Response:
    """Send the state of a device until it has ended (server-sent events)."""
    visit, language = read_visit(request), choose_language(request)
    await run_with_database(find_account, visit.session, connection_id)
    stream = _follow(shim, visit, language, connection_id)
    return StreamingResponse(stream, media_type="text/event-stream")


async def _follow(
    shim: Shim, visit: ConnectVisit, language: Language, connection_id: str
) -> AsyncIterator[str]:
    status = _PENDING
    while status == _PENDING and not shim.draining.has_begun:
        status = await run_with_database(_read_status, visit.session, connection_id)
        part = _render_status(language, visit, status)
        yield "".join(f"data: {line}\n" for line in part.splitlines()) + "\n"
        if status == _PENDING:
            await anyio.sleep(_LIVE_SECONDS)


def _read_status(session: TAB_CONNECT_SESSIONS, connection_id: str) -> str:
    """Return what became of a device: pending, connected or failed."""
    try:
        with hold_connection():
            row = find_account(session, connection_id)
            if row.status == "active":
                note_connected(session, row.id)
    except AuthError:
        return "failed"
    if row.status == _PENDING:
        return _PENDING
    return "connected" if row.status == "active" else "failed"


def _render_status(language: Language, visit: ConnectVisit, status: str) -> str:
    words = language.words["connect"]
    return render("connect/device_status.html", words=words, visit=visit, device_status=status)
