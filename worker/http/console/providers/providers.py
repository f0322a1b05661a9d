"""Routes of the pages of providers: listed with their state, checked, paused, resumed, deleted."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from actors.connections.counting import count_connections
from actors.providers.config.settings import describe_provider, list_providers
from actors.providers.errors import ProviderInvalid
from catfeeder.errors import CatFeederError
from catfeeder.messages import CHECK_PROVIDER
from catfeeder.queue.jobs.records import JobRecord, unwrap_result
from models.oauth.providers import own_key
from worker.http.asgi.threads import run_with_database
from worker.http.console.access import ConsoleRoute
from worker.http.console.form_fields import check_body
from worker.http.console.notices import go_to
from worker.http.console.rendering import read_visit, render_console
from worker.http.routes.providers import pause_provider, remove_provider, resume_provider
from worker.http.schemas.providers import Pause
from worker.http.shim import Shim, ShimDependency

router = APIRouter(prefix="/console/providers", route_class=ConsoleRoute, include_in_schema=False)
#: A page waits so long for a check; then it says that the check goes on.
_CHECK_SECONDS: Final = 10.0


@router.get("")
async def show_providers(request: Request) -> Response:
    """List the providers, those whose renewals are paused first."""
    providers = await run_with_database(list_providers)
    providers.sort(key=lambda it: it["renewals"]["state"] == "closed")
    counts = await run_with_database(count_connections, [_key(it) for it in providers])
    rows = [{**it, "connections": counts[_key(it)]} for it in providers]
    return render_console(request, "providers.html", providers=rows)


def _key(provider: dict[str, Any]) -> str:
    name, app = provider["name"], provider["app"]
    return name if app is None else own_key(app, name)


@router.get("/{name}")
async def show_provider(
    request: Request, name: str, shim: ShimDependency, check: str = ""
) -> Response:
    """Show a provider, and what came of its check where one was asked for."""
    shown = await run_with_database(describe_provider, name)
    counts = await run_with_database(count_connections, [_key(shown)])
    context: dict[str, Any] = {"shown": shown, "connections": counts[_key(shown)]}
    context |= {"check": None, "check_error": None, "job": check}
    if check:
        context |= await _read_check(shim, check)
    return render_console(request, "provider.html", **context)


async def _read_check(shim: Shim, job_id: str) -> dict[str, Any]:
    """Return the findings of a check, or why there are none."""
    try:
        record = await shim.job(job_id)
        if record.actor == CHECK_PROVIDER.name:
            record = await shim.wait(record, _CHECK_SECONDS)
            return {"check": unwrap_result(record)}
    except CatFeederError as error:
        return {"check_error": error}
    return {}


@router.post("/{name}/check")
async def begin_check(request: Request, name: str, shim: ShimDependency) -> Response:
    """Ask for a check, which a worker makes over the network, and lead to its findings."""
    await run_with_database(describe_provider, name)
    record: JobRecord = await shim.send(CHECK_PROVIDER, {"provider": name})
    query = request.url.include_query_params(check=record.id).query
    return RedirectResponse(f"/console/providers/{name}?{query}", 303)


@router.post("/{name}/pause")
async def pause_by_form(request: Request, name: str) -> Response:
    """Pause a provider's renewals until they are resumed by hand."""
    reason = read_visit(request).form.get("reason", "").strip() or None
    await pause_provider(name, check_body(Pause, {"reason": reason}, ProviderInvalid))
    return go_to(request, f"/console/providers/{name}", "provider-paused")


@router.post("/{name}/resume")
async def resume_by_form(request: Request, name: str) -> Response:
    """Let a provider's renewals go on."""
    await resume_provider(name)
    return go_to(request, f"/console/providers/{name}", "provider-resumed")


@router.post("/{name}/delete")
async def delete_by_form(request: Request, name: str) -> Response:
    """Delete a provider that no user is connected to."""
    await remove_provider(name)
    return go_to(request, "/console/providers", "provider-deleted")
