"""Routes of providers: the operator sets them up; their secrets are never shown."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from actors.providers.config import manual_pause
from actors.providers.config.settings import (
    describe_provider,
    erase_provider,
    list_providers,
    own_or_shared_key,
    patch_provider,
    put_provider,
)
from catfeeder.clock import utc_now
from catfeeder.messages import CHECK_PROVIDER
from catfeeder.results import ProviderCheck
from worker.http.asgi.threads import run_with_database
from worker.http.auth.api_keys import Scope, require_scope
from worker.http.auth.guarded_route import GuardedRoute
from worker.http.handlers.preconditions import has_provider
from worker.http.routes.described_router import DescribedRouter
from worker.http.schemas.fields import NewProviderName, ProviderName
from worker.http.schemas.providers import (
    Pause,
    Provider,
    ProviderChangesBody,
    ProviderList,
    ProviderSettingsBody,
)
from worker.http.schemas.shapes import build_model
from worker.http.shim import ShimDependency

router = DescribedRouter(
    prefix="/v1/providers",
    tags=["providers"],
    route_class=GuardedRoute,
    dependencies=require_scope(Scope.ADMIN),
)


@router.get("", response_model=ProviderList)
async def read_providers() -> JSONResponse:
    """Return all providers."""
    return JSONResponse({"items": await run_with_database(list_providers)})


@router.get("/{provider}", response_model=Provider)
async def read_provider(provider: ProviderName) -> JSONResponse:
    """Return a provider, without its secrets."""
    return JSONResponse(await run_with_database(describe_provider, provider))


@router.get("/{provider}/check", response_model=build_model(ProviderCheck))
async def check_provider(provider: ProviderName, shim: ShimDependency) -> JSONResponse:
    """Check a provider, over the network: each finding comes with its remedy."""
    await run_with_database(describe_provider, provider)
    seconds = shim.limits.provider_check_seconds
    return JSONResponse(await shim.perform(CHECK_PROVIDER, seconds, provider=provider))


@router.put("/{provider}", response_model=Provider, responses={201: {"model": Provider}})
async def replace_provider(provider: NewProviderName, body: ProviderSettingsBody) -> JSONResponse:
    """Create a provider, or replace its settings as a whole."""
    is_new, described = await run_with_database(_put, provider, body)
    return JSONResponse(described, 201 if is_new else 200)


def _put(provider: str, body: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
    is_new = not has_provider(own_or_shared_key(provider))
    put_provider(provider, body, utc_now())
    return is_new, describe_provider(provider)


@router.patch("/{provider}", response_model=Provider)
async def change_provider(provider: ProviderName, body: ProviderChangesBody) -> JSONResponse:
    """Change some settings of a provider (RFC 7396)."""
    await run_with_database(patch_provider, provider, body, utc_now())
    return JSONResponse(await run_with_database(describe_provider, provider))


@router.post("/{provider}/pause", response_model=Provider)
async def pause_provider(provider: ProviderName, body: Pause | None = None) -> JSONResponse:
    """Pause the renewals with a provider by hand, until they are resumed by hand.

    Tokens that still serve are given meanwhile, and sign-ins go on.
    """
    reason = None if body is None else body.reason
    await run_with_database(manual_pause.pause_provider, provider, reason, utc_now())
    return JSONResponse(await run_with_database(describe_provider, provider))


@router.post("/{provider}/resume", response_model=Provider)
async def resume_provider(provider: ProviderName) -> JSONResponse:
    """Let the renewals with a provider go on, whether it was paused by hand or for its failures."""
    await run_with_database(manual_pause.resume_provider, provider, utc_now())
    return JSONResponse(await run_with_database(describe_provider, provider))


@router.delete("/{provider}", status_code=204)
async def remove_provider(provider: ProviderName) -> Response:
    """Remove a provider that no user is connected to."""
    await run_with_database(erase_provider, provider)
    return Response(status_code=204)
