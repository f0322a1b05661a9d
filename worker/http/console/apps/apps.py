"""Routes of the pages of apps: listed, made, changed, deleted, and their queue keys revoked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from actors.api_keys import OPERATOR_SCOPES, SCOPES
from actors.apps.registration import AppExists, AppInvalid, describe_app, list_apps
from catfeeder.errors import CatFeederError
from worker.http.asgi.threads import run_with_database
from worker.http.console.access import ConsoleRoute
from worker.http.console.apps.app_form import find_changes, find_logo, write_form
from worker.http.console.form_fields import check_body
from worker.http.console.notices import go_to
from worker.http.console.rendering import read_visit, render_console
from worker.http.errors.statuses import get_status
from worker.http.routes.access.apps import make_app, patch_app, remove_app, revoke_app_queue_key
from worker.http.schemas.access.apps import AppChanges, NewApp
from worker.http.shim import ShimDependency

router = APIRouter(prefix="/console/apps", route_class=ConsoleRoute, include_in_schema=False)
_SCOPES: Final = tuple(scope for scope in SCOPES if scope not in OPERATOR_SCOPES)
#: No app's id begins so.
_NEW: Final = "/-/new"


@router.get("")
async def show_apps(request: Request) -> Response:
    """List all apps."""
    return render_console(request, "apps.html", apps=await run_with_database(list_apps))


@router.get(_NEW)
async def show_new_app(request: Request) -> Response:
    """Show the form that makes an app."""
    return _render_form(request, None, write_form({}))


@router.post(_NEW)
async def make_app_by_form(request: Request, shim: ShimDependency) -> Response:
    """Make an app, or show what is wrong with it beside what was typed."""
    form = read_visit(request).form
    settings = {name: it for name, it in find_changes(form, {}).items() if it is not None}
    try:
        wanted = {**settings, "id": form.get("id", "").strip()}
        body = check_body(NewApp, wanted, AppInvalid)
        await make_app(body, shim)
    except (AppInvalid, AppExists) as error:
        return _render_form(request, None, form, error)
    return go_to(request, f"/console/apps/{body.id}", "app-made")


@router.get("/{app_id}")
async def show_app(request: Request, app_id: str) -> Response:
    """Show an app with its settings in a form."""
    app = await run_with_database(describe_app, app_id)
    return _render_form(request, app, write_form(app))


@router.post("/{app_id}")
async def change_app_by_form(request: Request, app_id: str) -> Response:
    """Change an app, or show what is wrong beside what was typed."""
    app, form = await run_with_database(describe_app, app_id), read_visit(request).form
    try:
        changes = find_changes(form, app)
        if changes:
            await patch_app(app_id, check_body(AppChanges, changes, AppInvalid))
    except AppInvalid as error:
        return _render_form(request, app, form, error)
    return go_to(request, f"/console/apps/{app_id}", "app-changed")


@router.post("/{app_id}/delete")
async def delete_app_by_form(request: Request, app_id: str, shim: ShimDependency) -> Response:
    """Delete an app, unless users are connected for it."""
    await remove_app(app_id, shim)
    return go_to(request, "/console/apps", "app-deleted")


@router.post("/{app_id}/revoke-queue-key")
async def revoke_queue_key_by_form(request: Request, app_id: str, shim: ShimDependency) -> Response:
    """Revoke an app's queue keys."""
    await revoke_app_queue_key(app_id, shim)
    return go_to(request, f"/console/apps/{app_id}", "queue-key-revoked")


def _render_form(
    request: Request,
    shown: Mapping[str, Any] | None,
    form: Mapping[str, str],
    error: CatFeederError | None = None,
) -> Response:
    status = 200 if error is None else get_status(error.code)
    problems = error.fields if isinstance(error, AppInvalid) else {}
    context: dict[str, Any] = {"form": form, "shown": shown, "scopes": _SCOPES}
    context |= {"problems": problems, "logo": find_logo(form, shown)}
    return render_console(request, "app.html", status=status, error=error, **context)
