"""Routes of the page of webhooks: each delivery with its receiver's answer, and sending anew."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from actors.apps.registration import list_apps
from actors.events.deliveries import list_deliveries
from catfeeder.queue.requester import DEFAULT_APP
from config import current_settings
from models.webhook_deliveries import DeliveryStatus
from worker.http.asgi.threads import run_with_database
from worker.http.console.access import ConsoleRoute
from worker.http.console.notices import go_to
from worker.http.console.rendering import read_visit, render_console
from worker.http.routes.work.webhook_deliveries import resend_events
from worker.http.schemas.work.webhook_deliveries import EventsToResend

router = APIRouter(prefix="/console/webhooks", route_class=ConsoleRoute, include_in_schema=False)
_PAGE: Final = 50


@router.get("")
async def show_webhooks(
    request: Request, status: DeliveryStatus | None = None, cursor: str | None = None
) -> Response:
    """List the deliveries that were tried, and the receivers that there are."""
    page = await run_with_database(list_deliveries, status=status, cursor=cursor, limit=_PAGE)
    receivers = await run_with_database(_list_receivers, request.query_params.get("app"))
    context: dict[str, Any] = {"page": page, "wanted": status or "", "receivers": receivers}
    return render_console(request, "webhooks.html", **context, statuses=list(DeliveryStatus))


def _list_receivers(app: str | None) -> dict[str, str]:
    """Return the address of each app that has one, or of one app."""
    found = {it["id"]: it.get("webhook_url") for it in list_apps() if app in (None, it["id"])}
    if DEFAULT_APP in found and not found[DEFAULT_APP]:
        found[DEFAULT_APP] = current_settings().oauth.webhook_url
    return {it: url for it, url in found.items() if url}


@router.post("/resend")
async def resend_by_form(request: Request) -> Response:
    """Have one event delivered anew, or all that were given up."""
    event_id = read_visit(request).form.get("event_id", "")
    is_number = event_id.isascii() and event_id.isdigit()
    ids = ([int(event_id)] if is_number else []) if event_id else None
    await resend_events(EventsToResend(event_ids=ids))
    return go_to(request, "/console/webhooks", "deliveries-resent")
