"""Routes of changes to one connection: renewed, disconnected, its profile fetched, or a link."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from actors.connect.sessions import ConnectWishes, create_connect_session
from actors.connections.reading import find_connection
from actors.events.audit import record
from actors.events.kinds import EventKind
from catfeeder.clock import rfc3339, utc_now
from catfeeder.messages import FETCH_USER_INFO, RENEW_CONNECTION, REVOKE_CONNECTION
from models.db.database import hold_connection
from models.oauth.providers import public_name
from worker.http.asgi.threads import run_with_database
from worker.http.console.access import ConsoleRoute
from worker.http.console.connections.jobs import perform_for
from worker.http.console.notices import go_to
from worker.http.console.rendering import render_console
from worker.http.handlers.preconditions import check_connection, find_version_to_renew
from worker.http.schemas.fields import ConnectionId
from worker.http.shim import ShimDependency

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)
_LIST: Final = "/console/connections"


@router.post("/console/connections/{connection_id}/renew")
async def renew(request: Request, connection_id: ConnectionId, shim: ShimDependency) -> Response:
    """Renew a connection's token now."""
    app, version = await run_with_database(find_version_to_renew, connection_id)
    arguments = {"connection_id": connection_id, "version": version}
    outcome = await perform_for(shim, app, RENEW_CONNECTION, arguments)
    return go_to(request, f"{_LIST}/{connection_id}", f"renewal-{outcome}")


@router.post("/console/connections/{connection_id}/user-info")
async def refresh_user_info(
    request: Request, connection_id: ConnectionId, shim: ShimDependency
) -> Response:
    """Fetch the profile of a connection's user anew."""
    app, provider = await run_with_database(_record_request, connection_id)
    arguments = {"provider": provider, "connection_id": connection_id, "access_token": None}
    outcome = await perform_for(shim, app, FETCH_USER_INFO, arguments)
    return go_to(request, f"{_LIST}/{connection_id}", f"user-info-{outcome}")


@router.post("/console/connections/{connection_id}/disconnect")
async def disconnect(
    request: Request, connection_id: ConnectionId, shim: ShimDependency
) -> Response:
    """Revoke a connection at its provider and erase it."""
    app = await run_with_database(check_connection, connection_id)
    outcome = await perform_for(shim, app, REVOKE_CONNECTION, {"connection_id": connection_id})
    path = f"{_LIST}/{connection_id}" if outcome == "failed" else _LIST
    return go_to(request, path, f"disconnect-{outcome}")


@router.post("/console/connections/{connection_id}/reconnect-link")
async def make_reconnect_link(request: Request, connection_id: ConnectionId) -> Response:
    """Make a link by which the user connects the account anew; it is shown on this answer alone."""
    wishes = ConnectWishes(connection_id=connection_id)
    link = await run_with_database(create_connect_session, wishes, utc_now())
    return render_console(
        request,
        "connections/link.html",
        connection_id=connection_id,
        link_url=link.url,
        expires_at=rfc3339(link.expires_at),
    )


def _record_request(connection_id: str) -> tuple[str, str]:
    """Record that a profile is asked for, and return its connection's app and provider."""
    row = find_connection(connection_id)
    with hold_connection():
        record(EventKind.PROFILE_REQUESTED, now=utc_now(), connection=row)
    return row.app, public_name(row.provider)
