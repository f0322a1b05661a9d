"""Route of a disconnect: the grant is revoked at its provider, and the connection erased."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from actors.connect.accounts import find_account
from catfeeder.errors import CatFeederError, JobTimeout
from catfeeder.messages import REVOKE_CONNECTION
from models.oauth.providers import public_name
from worker.http.asgi.threads import run_with_database
from worker.http.connect.access import SESSION_PATH, ConnectRoute, read_visit
from worker.http.connect.notices import build_address, find_notice
from worker.http.shim import ShimDependency

router = APIRouter(route_class=ConnectRoute, include_in_schema=False)
#: The job goes on where the provider takes longer.
_WAIT_SECONDS: Final = 10


@router.post(f"{SESSION_PATH}/connections/{{connection_id}}/disconnect")
async def disconnect(connection_id: str, request: Request, shim: ShimDependency) -> Response:
    """Disconnect an account of the page's subject."""
    visit, provider = read_visit(request), ""
    try:
        row = await run_with_database(find_account, visit.session, connection_id)
        provider = public_name(row.provider) or ""
        await shim.perform(REVOKE_CONNECTION, _WAIT_SECONDS, connection_id=row.id)
        code = "disconnected"
    except JobTimeout:
        code = "disconnecting"
    except CatFeederError as error:
        code = find_notice(error.code)
    return RedirectResponse(build_address(visit.path, code, provider), 303)
