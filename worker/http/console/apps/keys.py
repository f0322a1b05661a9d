"""Routes of the page of API keys: made and shown once, listed with their last use, revoked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from actors.api_keys import SCOPES, ApiKey, ApiKeyInvalid, list_api_keys
from actors.apps.registration import list_apps
from actors.apps.settings import AppUnknown
from catfeeder.clock import rfc3339, utc_now
from catfeeder.errors import CatFeederError
from catfeeder.queue.requester import DEFAULT_APP
from worker.http.asgi.threads import run_with_database
from worker.http.console.access import ConsoleRoute
from worker.http.console.form_fields import check_body, read_number, read_ticks
from worker.http.console.notices import go_to
from worker.http.console.rendering import read_visit, render_console
from worker.http.errors.statuses import get_status
from worker.http.routes.access.keys import make_key, revoke_key
from worker.http.schemas.access.keys import NewKey
from worker.http.shim import ShimDependency

router = APIRouter(prefix="/console/keys", route_class=ConsoleRoute, include_in_schema=False)
_DAY_SECONDS: Final = 86_400
_EMPTY_FORM: Final = {"requests_per_minute": "600", "days": "365"}


@router.get("")
async def show_keys(request: Request) -> Response:
    """List the keys that serve, or all that there were."""
    return await _render(request, _EMPTY_FORM)


@router.post("")
async def make_key_by_form(request: Request) -> Response:
    """Make a key and show it on this answer alone, or show what is wrong."""
    form = read_visit(request).form
    try:
        answer = await make_key(check_body(NewKey, _read_form(request, form), ApiKeyInvalid))
    except (ApiKeyInvalid, AppUnknown) as error:
        return await _render(request, form, error)
    return await _render(request, _EMPTY_FORM, made=json.loads(bytes(answer.body)))


@router.post("/{key_id}/revoke")
async def revoke_key_by_form(request: Request, key_id: str, shim: ShimDependency) -> Response:
    """Revoke a key."""
    await revoke_key(key_id, shim)
    return go_to(request, "/console/keys", "key-revoked")


def _read_form(request: Request, form: Mapping[str, str]) -> dict[str, Any]:
    days = read_number(form.get("days", ""))
    wanted = {
        "app": request.query_params.get("app") or form.get("app") or DEFAULT_APP,
        "name": form.get("name", "").strip(),
        "scopes": read_ticks(form, "scopes"),
        "requests_per_minute": read_number(form.get("requests_per_minute", "")),
        "lifetime": days * _DAY_SECONDS if isinstance(days, int) else days,
    }
    return {name: value for name, value in wanted.items() if value is not None}


async def _render(
    request: Request,
    form: Mapping[str, str],
    error: CatFeederError | None = None,
    made: ApiKey | None = None,
) -> Response:
    problems = dict(error.fields) if isinstance(error, ApiKeyInvalid) else {}
    for name in problems.keys() & {"lifetime", "expires_at"}:
        problems["days"] = problems.pop(name)
    status = 200 if error is None else get_status(error.code)
    now, is_all = rfc3339(utc_now()), "all" in request.query_params
    keys = [
        {**key, "state": _find_state(key, now)} for key in await run_with_database(list_api_keys)
    ]
    context = {
        "keys": [key for key in keys if is_all or key["state"] == "valid"],
        "apps": [app["id"] for app in await run_with_database(list_apps)],
        "scopes": SCOPES,
        "is_all": is_all,
    }
    context |= {"form": form, "problems": problems, "error": error, "made": made}
    return render_console(request, "keys.html", status=status, **context)


def _find_state(key: ApiKey, now: str) -> str:
    if key["revoked_at"]:
        return "revoked"
    # Times as RFC 3339 writes them, in UTC, sort as they follow each other.
    return "expired" if key["expires_at"] and key["expires_at"] <= now else "valid"
