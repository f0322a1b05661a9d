"""Route of connect sessions: an app asks for a link to the page where its user connects."""

from __future__ import annotations

from starlette.responses import JSONResponse

from actors.connect.sessions import ConnectWishes, create_connect_session
from catfeeder.clock import rfc3339, utc_now
from catfeeder.results import ConnectSession
from worker.http.asgi.threads import run_with_database
from worker.http.auth.api_keys import Scope, require_scope
from worker.http.auth.guarded_route import GuardedRoute
from worker.http.routes.described_router import DescribedRouter
from worker.http.schemas.connect_sessions import NewConnectSession
from worker.http.schemas.shapes import build_model

router = DescribedRouter(
    prefix="/v1/connect-sessions", tags=["connections"], route_class=GuardedRoute
)


@router.post(
    "",
    status_code=201,
    response_model=build_model(ConnectSession),
    dependencies=require_scope(Scope.JOBS),
)
async def make_connect_session(body: NewConnectSession) -> JSONResponse:
    """Return a link to the page where a user connects accounts, and connects them anew.

    Lead the browser of your user's session there. The first browser that opens the link has the
    page for itself, for a limited time; in any other the link is dead (docs/connect.md).
    """
    wishes = ConnectWishes(**body.model_dump())
    link = await run_with_database(create_connect_session, wishes, utc_now())
    return JSONResponse({"url": link.url, "expires_at": rfc3339(link.expires_at)}, 201)
