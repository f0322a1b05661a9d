"""Routes of the page: what is connected, what needs its user, and what can be connected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from actors.connect.accounts import list_accounts, note_connected
from actors.connect.failures import is_reference_of
from actors.connect.offers import Offer, list_offers
from actors.connections.errors import ConnectionUnknown
from catfeeder.results import Connection
from catfeeder.sealing import Secret
from models.db.database import hold_connection
from models.oauth.connect_sessions import TAB_CONNECT_SESSIONS
from models.oauth.providers import public_name
from models.oauth.state_hashes import name_sign_in
from worker.http.connect.access import SESSION_PATH, ConnectRoute, ConnectVisit, read_visit
from worker.http.connect.notices import COLOURS, FAILED, Notice, build_address, find_notice
from worker.http.connect.rendering import Brand, read_brand, render_connect

router = APIRouter(route_class=ConnectRoute, include_in_schema=False)
#: Where a connection's token cannot be had without its user.
_NEEDS_USER: Final = ("ended", "reauthorization_required")


@dataclass(frozen=True, slots=True)
class Row:
    """A provider of the page, with the accounts that are connected there."""

    offer: Offer
    accounts: list[Connection]

    @property
    def needs_user(self) -> bool:
        """Whether an account is to be connected anew."""
        return any(account["status"] in _NEEDS_USER for account in self.accounts)


@dataclass(frozen=True, slots=True)
class _State:
    brand: Brand
    rows: list[Row]
    notice: Notice | None


@router.get(SESSION_PATH)
async def show_page(request: Request) -> Response:
    """Show the page, with the notice that the address has a code of."""
    visit = read_visit(request)
    query = dict(request.query_params)
    state = await run_in_threadpool(_read_state, visit.session, query)
    return render_connect(
        request, "page.html", state.brand, rows=state.rows, notice=state.notice, needs=_NEEDS_USER
    )


def _read_state(session: TAB_CONNECT_SESSIONS, query: dict[str, str]) -> _State:
    with hold_connection():
        offers = list_session_offers(session)
        accounts = list_accounts(session, [offer.name for offer in offers])
        rows = [
            Row(offer, [one for one in accounts if one["provider"] == offer.name])
            for offer in offers
        ]
        rows.sort(key=lambda row: not row.needs_user)
        return _State(read_brand(session.app), rows, _read_notice(session, offers, query))


def list_session_offers(session: TAB_CONNECT_SESSIONS, wanted: str | None = None) -> list[Offer]:
    """Return what a page offers, or of that one provider; of a relayed session sign-ins alone."""
    names = session.providers
    if wanted is not None:
        names = [wanted] if names is None or wanted in names else []
    offers = list_offers(names)
    if not session.is_relayed:
        return offers
    return [offer.keep_sign_in() for offer in offers if offer.has_sign_in]


def _read_notice(
    session: TAB_CONNECT_SESSIONS, offers: list[Offer], query: dict[str, str]
) -> Notice | None:
    """Return what an address says, as far as it is true: a link may have any words."""
    code = query.get("notice", "")
    if code not in COLOURS:
        return None
    titles = {offer.name: offer.title for offer in offers}
    reference = query.get("reference", "")
    title = titles.get(query.get("provider", ""), "")
    return Notice(code, title, reference if is_reference_of(session, reference) else None)


@router.get(f"{SESSION_PATH}/end")
async def end_sign_in(request: Request) -> Response:
    """Take up a sign-in's end, which the callback leads to, and show the page."""
    visit, query = read_visit(request), dict(request.query_params)
    address = await run_in_threadpool(_take_end, visit, query)
    return RedirectResponse(address, 303)


def _take_end(visit: ConnectVisit, query: dict[str, Any]) -> str:
    with hold_connection():
        if connection_id := query.get("connection_id"):
            try:
                row = note_connected(visit.session, connection_id)
            except ConnectionUnknown:
                return build_address(visit.path, FAILED)
            return build_address(visit.path, "connected", public_name(row.provider))
        state = query.get("state", "")
        code = find_notice(query.get("error", ""))
        reference = name_sign_in(Secret(state)) if state and code == FAILED else None
        return build_address(visit.path, code, query.get("provider", ""), reference)
