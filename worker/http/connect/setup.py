"""Routes of a provider's form: variables such as a subdomain, API keys and passwords."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from actors.connect.accounts import note_connected
from actors.connect.failures import record_failure
from actors.connect.offers import MEMBERS, Offer
from actors.connections.creation import NewConnection, create_at_once
from actors.connections.credentials.errors import CredentialsInvalid
from actors.providers.errors import ProviderUnknown
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError
from catfeeder.messages import CREATE_CONNECTION
from catfeeder.sealing import Secret
from models.db.database import hold_connection
from worker.http.asgi.threads import run_with_database
from worker.http.connect.access import SESSION_PATH, ConnectRoute, ConnectVisit, read_visit
from worker.http.connect.notices import FAILED, build_address, find_notice
from worker.http.connect.page import list_session_offers
from worker.http.connect.rendering import read_brand, render_connect
from worker.http.shim import Shim, ShimDependency
from worker.http.sign_ins.start import limit_refusals

router = APIRouter(route_class=ConnectRoute, include_in_schema=False)
PROVIDER_PATH: Final = f"{SESSION_PATH}/providers/{{provider}}"
_VARIABLE_PREFIX: Final = "variables."
_VARIABLES_FAULT: Final = "variables_invalid"
_FAULTS_OF_FIELDS: Final = (_VARIABLES_FAULT, "credentials_invalid", "credentials_refused")


@router.get(PROVIDER_PATH)
async def show_form(provider: str, request: Request) -> Response:
    """Show the form of a provider."""
    offer = await find_offer(request, provider)
    return await render_form(request, offer)


@router.post(f"{PROVIDER_PATH}/credentials")
async def send_credentials(provider: str, request: Request, shim: ShimDependency) -> Response:
    """Make a connection from what the form holds."""
    visit, offer = read_visit(request), await find_offer(request, provider)
    try:
        connection_id = await _connect(shim, visit, offer)
    except CatFeederError as error:
        return await answer_failure(request, offer, error)
    await run_in_threadpool(_note, visit, connection_id)
    return RedirectResponse(build_address(visit.path, "connected", offer.name), 303)


async def _connect(shim: Shim, visit: ConnectVisit, offer: Offer) -> str:
    """Make the connection at once, or by a job where the provider is asked; return its id."""
    if offer.credentials is None:
        raise CredentialsInvalid
    given = {name: Secret(visit.form.get(name, "").strip()) for name in MEMBERS[offer.credentials]}
    new = NewConnection(
        offer.name,
        given,
        visit.session.subject or None,
        None,
        read_variables(visit.form) or {},
    )
    made = await run_with_database(create_at_once, new, utc_now())
    if made is None:
        seconds = shim.limits.code_exchange_seconds
        arguments = {"credentials": new.credentials, "subject": new.subject, "scope": None}
        made = await shim.perform(
            CREATE_CONNECTION, seconds, provider=new.provider, variables=new.variables, **arguments
        )
    return str(made["id"])


def _note(visit: ConnectVisit, connection_id: str) -> None:
    with hold_connection():
        note_connected(visit.session, connection_id)


def read_variables(form: Mapping[str, str]) -> dict[str, str] | None:
    """Return the variables that a form holds; None where it holds none."""
    found = {
        name.removeprefix(_VARIABLE_PREFIX): text.strip()
        for name, text in form.items()
        if name.startswith(_VARIABLE_PREFIX)
    }
    return found or None


async def find_offer(request: Request, provider: str) -> Offer:
    """Return what the visit's page offers of a provider.

    Raises:
        ProviderUnknown: Nothing.
    """
    session = read_visit(request).session
    offers = await run_in_threadpool(list_session_offers, session, provider)
    if not offers or offers[0].name != provider:
        raise ProviderUnknown
    return offers[0]


async def answer_failure(request: Request, offer: Offer, error: CatFeederError) -> Response:
    """Show the form again where its fields are wrong, else the page with a notice."""
    code = error.code
    if code in _FAULTS_OF_FIELDS:
        return await render_form(request, offer, code)
    visit, notice = read_visit(request), find_notice(code)
    reference = None
    if notice == FAILED:
        await limit_refusals(request.app.state.shim, request)
        reference = await run_with_database(
            record_failure, visit.session, offer.name, code, utc_now()
        )
    return RedirectResponse(build_address(visit.path, notice, offer.name, reference), 303)


async def render_form(request: Request, offer: Offer, fault: str | None = None) -> Response:
    """Answer with the form of a provider, and what was typed but for secrets."""
    visit = read_visit(request)
    brand = await run_with_database(read_brand, visit.session.app)
    kind = "variables" if fault == _VARIABLES_FAULT else "credentials"
    return render_connect(
        request,
        "setup.html",
        brand,
        status=422 if fault else 200,
        offer=offer,
        members=MEMBERS[offer.credentials] if offer.credentials else (),
        typed=read_variables(visit.form) or {},
        username=visit.form.get("username", ""),
        client_id=visit.form.get("client_id", ""),
        fault=kind if fault else None,
    )
