"""Routes of deliveries to webhooks: their answers, and how to have events sent anew."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import JSONResponse

from actors.events.deliveries import DeliveryPage, Resent, list_deliveries, resend_deliveries
from catfeeder.clock import utc_now
from worker.http.asgi.threads import run_with_database
from worker.http.auth.api_keys import Scope, require_scope
from worker.http.auth.guarded_route import GuardedRoute
from worker.http.routes.described_router import DescribedRouter
from worker.http.schemas.shapes import build_model
from worker.http.schemas.work.webhook_deliveries import DeliveryQuery, EventsToResend

router = DescribedRouter(prefix="/v1/webhook-deliveries", tags=["events"], route_class=GuardedRoute)


@router.get(
    "",
    response_model=build_model(DeliveryPage),
    dependencies=require_scope(Scope.CONNECTIONS_READ),
)
async def read_deliveries(query: Annotated[DeliveryQuery, Query()]) -> JSONResponse:
    """Return a page of the deliveries that were tried, with what their receivers answered last.

    Those of the newest events come first. An event that no webhook takes has no delivery.
    """
    return JSONResponse(await run_with_database(list_deliveries, **query.model_dump()))


@router.post("/resend", response_model=build_model(Resent), dependencies=require_scope(Scope.ADMIN))
async def resend_events(wanted: EventsToResend) -> JSONResponse:
    """Have events delivered anew within seconds, under the same ids, whatever came of them before.

    With the header `Catfeeder-App` those of that app alone; any other is left.
    """
    return JSONResponse(await run_with_database(resend_deliveries, wanted.list_ids(), utc_now()))
