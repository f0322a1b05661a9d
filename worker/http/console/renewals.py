"""Routes of the renewals: the plan as a timeline, and as a list with the failing ones first."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from actors.apps.registration import list_apps
from actors.connections.search import list_provider_names
from actors.renewal.plan.listing import list_renewals
from actors.renewal.plan.timeline import build_timeline
from catfeeder.clock import utc_now
from models.oauth.connections import ConnectionStatus
from worker.http.asgi.threads import run_with_database
from worker.http.console.access import ConsoleRoute
from worker.http.console.filters import Filters, OptionalText
from worker.http.console.rendering import render_console

router = APIRouter(prefix="/console/renewals", route_class=ConsoleRoute, include_in_schema=False)
_FAILING: Final = 10
_PAGE: Final = 30


class RenewalFilters(Filters):
    """What the form of the list asks for."""

    provider: OptionalText = None


@router.get("")
async def show_renewals(request: Request, filters: Annotated[RenewalFilters, Query()]) -> Response:
    """Show what falls due when; nothing is renewed."""
    found = await run_with_database(_read, filters)
    return render_console(
        request,
        "renewals.html",
        filters=filters,
        kept=filters.to_query(),
        **found,
    )


def _read(filters: RenewalFilters) -> dict[str, Any]:
    now, search = utc_now(), filters.to_search()
    found: dict[str, Any] = {
        "page": list_renewals(**search, limit=_PAGE, now=now),
        "providers": list_provider_names(),
        "apps": [app["id"] for app in list_apps()],
        "failing": None,
        "timeline": None,
    }
    if filters.cursor is None:
        is_failing = ConnectionStatus.RENEWAL_FAILING
        found["failing"] = list_renewals(
            provider=filters.provider, status=is_failing, limit=_FAILING, now=now
        )
        found["timeline"] = build_timeline(filters.provider, now)
    return found
