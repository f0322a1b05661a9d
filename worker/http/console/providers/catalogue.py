"""Routes of the catalogue's pages: presets are searched, and each shows what is known of it."""

from __future__ import annotations

import json
from typing import Any, Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from actors.providers.catalogue.presets import describe_origin, find_preset
from actors.providers.catalogue.search import needs_of, search_catalogue, title_of
from actors.providers.errors import ProviderUnknown
from config import credential_variable
from worker.http.console.access import ConsoleRoute
from worker.http.console.rendering import render_console

_PREFIX: Final = "/console/providers/-/catalogue"
router = APIRouter(prefix=_PREFIX, route_class=ConsoleRoute, include_in_schema=False)


@router.get("")
async def show_catalogue(request: Request, query: str = "", cursor: str | None = None) -> Response:
    """List the presets that a query finds."""
    query = query.strip()[:100]
    page = await run_in_threadpool(search_catalogue, query, cursor=cursor)
    return render_console(request, "catalogue.html", page=page, query=query)


@router.get("/{preset}")
async def show_preset(request: Request, preset: str) -> Response:
    """Show what a preset sets, what it rests on, and what it needs."""
    facts = await run_in_threadpool(_read_facts, preset)
    return render_console(request, "preset.html", **facts)


def _read_facts(preset: str) -> dict[str, Any]:
    settings = find_preset(preset)
    if settings is None:
        raise ProviderUnknown("The catalogue has no preset of that name.")
    about = describe_origin(preset)
    disputed = [{**it, "value": _write(it["value"])} for it in about.get("disagreements", ())]
    return {
        "preset": preset,
        "name": title_of(preset, about),
        "about": about,
        "disputed": disputed,
        "needs": list(needs_of(settings)),
        "environment": [credential_variable(preset, it) for it in ("CLIENT_ID", "CLIENT_SECRET")],
        "settings": {name: _write(value) for name, value in settings.items()},
    }


def _write(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
