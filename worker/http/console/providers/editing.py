"""Routes of the form of a provider's settings: a new one's, and one that there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from actors.providers.catalogue.presets import preset_settings
from actors.providers.config.editing import (
    ProviderChangedMeanwhile,
    create_provider,
    read_own_settings,
    replace_settings,
)
from actors.providers.config.settings import describe_provider
from actors.providers.errors import ProviderInvalid
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError
from worker.http.asgi.threads import run_with_database
from worker.http.console.access import ConsoleRoute
from worker.http.console.notices import go_to
from worker.http.console.providers.fields import list_groups
from worker.http.console.providers.secrets import SECRETS, read_secrets, seal_secrets
from worker.http.console.providers.values import (
    list_fields,
    read_form,
    sort_problems,
    write_form,
    write_text,
)
from worker.http.console.rendering import read_visit, render_console
from worker.http.errors.statuses import get_status
from worker.http.shim import ShimDependency

router = APIRouter(prefix="/console/providers", route_class=ConsoleRoute, include_in_schema=False)
#: No provider's name begins so.
_NEW: Final = "/-/new"
_READ_AT: Final = "read_at"


@router.get(_NEW)
async def show_new_provider(request: Request, preset: str = "") -> Response:
    """Show the form of a new provider, with a preset of the catalogue filled in."""
    form = {"name": preset, "preset": preset}
    return _render(request, None, form, await run_with_database(preset_settings, preset))


@router.post(_NEW)
async def make_provider_by_form(request: Request, shim: ShimDependency) -> Response:
    """Make a provider, or show what is wrong beside what was typed."""
    form = read_visit(request).form
    name, secrets = form.get("name", "").strip(), read_secrets(request, shim)
    try:
        settings = read_form(form)
        await run_with_database(create_provider, name, settings, secrets, utc_now())
    except ProviderInvalid as error:
        inherited = await run_with_database(preset_settings, form.get("preset", ""))
        return _render(request, None, seal_secrets(request, shim), inherited, error)
    return go_to(request, f"/console/providers/{name}", "provider-made")


@router.get("/{name}/settings")
async def show_settings(request: Request, name: str) -> Response:
    """Show the settings of a provider's row in a form; what they leave out stands in grey."""
    shown = await run_with_database(describe_provider, name)
    known = await run_with_database(read_own_settings, name)
    form = {**write_form(known["own"]), _READ_AT: known["updated_at"]}
    return _render(request, shown, form, known["inherited"])


@router.post("/{name}/settings")
async def change_settings_by_form(request: Request, name: str, shim: ShimDependency) -> Response:
    """Replace the settings, or show what is wrong beside what was typed."""
    form, secrets = read_visit(request).form, read_secrets(request, shim)
    shown = await run_with_database(describe_provider, name)
    try:
        settings, read_at = read_form(form), form.get(_READ_AT, "")
        await run_with_database(replace_settings, name, settings, secrets, read_at, utc_now())
    except (ProviderInvalid, ProviderChangedMeanwhile) as error:
        known = await run_with_database(read_own_settings, name)
        # Saved once more, what was typed wins: the operator has been told.
        kept = {**seal_secrets(request, shim), _READ_AT: known["updated_at"]}
        return _render(request, shown, kept, known["inherited"], error)
    return go_to(request, f"/console/providers/{name}", "provider-changed")


def _render(
    request: Request,
    shown: Mapping[str, Any] | None,
    form: Mapping[str, str],
    inherited: Mapping[str, Any],
    error: CatFeederError | None = None,
) -> Response:
    fields = list_fields()
    names = {"name", *SECRETS, *(field.name for field in fields)}
    known = {it.name: write_text(it, inherited[it.name]) for it in fields if inherited.get(it.name)}
    problems = error.fields if isinstance(error, ProviderInvalid) else {}
    context: dict[str, Any] = {"form": form, "shown": shown, "inherited": known}
    context |= {"groups": list_groups(), "error": error}
    context["problems"] = sort_problems(problems, names)
    status = 200 if error is None else get_status(error.code)
    return render_console(request, "provider_form.html", status=status, **context)
