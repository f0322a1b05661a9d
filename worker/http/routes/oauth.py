"""Routes of OAuth: sign-ins, code exchange, profiles, refresh tokens."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from actors.devices.request import check_device_request
from catfeeder.clock import rfc3339
from catfeeder.messages import AUTHORIZE_DEVICE, EXCHANGE_CODE, FETCH_USER_INFO, REFRESH_TOKEN
from catfeeder.results import Connection, DeviceAuthorization, Profile, StartedSignIn, TokenResponse
from worker.http.asgi.threads import run_with_database
from worker.http.auth.api_keys import Scope, require_scope
from worker.http.auth.guarded_route import GuardedRoute
from worker.http.handlers.preconditions import check_connection, check_provider, check_variables
from worker.http.handlers.submission import SubmissionDependency
from worker.http.routes.described_router import DescribedRouter
from worker.http.schemas.browsers import (
    CALLBACK_ANSWERS,
    CALLBACK_FORM,
    CALLBACK_PARAMETERS,
    LOGIN_FORM,
    LOGIN_PARAMETERS,
)
from worker.http.schemas.fields import ProviderName
from worker.http.schemas.oauth import AuthorizeDevice, ExchangeCode, FetchUserInfo, RefreshToken
from worker.http.schemas.shapes import build_model
from worker.http.schemas.sign_ins import Authorize, Login
from worker.http.schemas.work.jobs import declare_job_route
from worker.http.shim import ShimDependency
from worker.http.sign_ins.callback import finish_sign_in
from worker.http.sign_ins.login import (
    check_given_once,
    read_login_form,
    read_variables,
    start_login,
)
from worker.http.sign_ins.pages import BrowserRoute
from worker.http.sign_ins.start import start_sign_in

router = DescribedRouter(prefix="/v1/oauth", tags=["oauth"], route_class=GuardedRoute)
#: Where users' browsers come, which may be shown a page.
pages = DescribedRouter(prefix="/v1/oauth", tags=["oauth"], route_class=BrowserRoute)
_requires_jobs = require_scope(Scope.JOBS)
_requires_tokens = require_scope(Scope.TOKENS_READ)


# Before the routes that begin with a provider's name, since "callback" could be one.
@pages.get("/callback", **CALLBACK_ANSWERS, openapi_extra=CALLBACK_PARAMETERS)
async def receive_callback(request: Request, shim: ShimDependency) -> Response:
    """Finish a sign-in: the provider sends the browser here."""
    return await finish_sign_in(shim, request)


@pages.post("/callback", **CALLBACK_ANSWERS, openapi_extra=CALLBACK_FORM)
async def receive_callback_form(request: Request, shim: ShimDependency) -> Response:
    """Finish a sign-in by a form, which some providers have the browser send."""
    return await finish_sign_in(shim, request)


@pages.get("/callback/{provider}", **CALLBACK_ANSWERS, openapi_extra=CALLBACK_PARAMETERS)
async def receive_provider_callback(
    provider: ProviderName, request: Request, shim: ShimDependency
) -> Response:
    """Finish a sign-in with a provider that has a redirect URI of its own."""
    return await finish_sign_in(shim, request, provider)


@pages.post("/callback/{provider}", **CALLBACK_ANSWERS, openapi_extra=CALLBACK_FORM)
async def receive_provider_callback_form(
    provider: ProviderName, request: Request, shim: ShimDependency
) -> Response:
    """Finish a sign-in by a form at a provider's own redirect URI."""
    return await finish_sign_in(shim, request, provider)


@router.post(
    "/{provider}/authorize", response_model=build_model(StartedSignIn), dependencies=_requires_jobs
)
async def begin_sign_in(
    provider: ProviderName, shim: ShimDependency, request: Request, body: Authorize
) -> JSONResponse:
    """Begin a sign-in: send the user's browser to `authorization_url`."""
    begun = await start_sign_in(shim, request, provider, **body.model_dump())
    answer = {"authorization_url": begun.authorization_url, "state": begun.state}
    return JSONResponse({**answer, "expires_at": rfc3339(begun.expires_at)})


@router.post(
    "/{provider}/device", dependencies=_requires_jobs, **declare_job_route(DeviceAuthorization)
)
async def authorize_device(
    provider: ProviderName, body: AuthorizeDevice, submit: SubmissionDependency
) -> JSONResponse:
    """Connect a device without a browser: show its user the code, and wait for the connection."""
    asked = body.model_dump()
    await run_with_database(check_device_request, provider, **asked)
    return await submit(AUTHORIZE_DEVICE, provider=provider, **asked)


@pages.get(
    "/{provider}/login",
    status_code=303,
    response_class=RedirectResponse,
    openapi_extra=LOGIN_PARAMETERS,
)
async def begin_browser_sign_in(
    provider: ProviderName,
    shim: ShimDependency,
    request: Request,
    query: Annotated[Login, Query()],
) -> Response:
    """Begin a sign-in from a browser, which must be the one that ends it.

    Needs no key unless `login_requires_key` is on; then an app asks, which knows its browser. What
    goes wrong comes to `return_to` too, as `error` and `error_description`. The connection belongs
    to `app`, or to `default`, where its `allow_login` is on.

    This is also the `initiate_login_uri` of third parties (OpenID Connect Core section 4).
    """
    pairs = request.query_params.multi_items()
    check_given_once(pairs)
    return await start_login(shim, request, provider, query, read_variables(pairs))


@pages.post(
    "/{provider}/login",
    status_code=303,
    response_class=RedirectResponse,
    openapi_extra=LOGIN_FORM,
)
async def begin_browser_sign_in_by_form(
    provider: ProviderName, shim: ShimDependency, request: Request
) -> Response:
    """Begin a sign-in by a form, as a third party may (OpenID Connect Core section 4)."""
    return await start_login(shim, request, provider, *await read_login_form(request))


@router.post("/{provider}/exchange", dependencies=_requires_jobs, **declare_job_route(Connection))
async def exchange_code(
    provider: ProviderName, body: ExchangeCode, submit: SubmissionDependency
) -> JSONResponse:
    """Finish a sign-in whose answer came to your own redirect URI; the result is the connection."""
    await run_with_database(check_provider, provider)
    # A worker of an earlier release takes no `parameters`.
    more = {"parameters": body.parameters} if body.parameters else {}
    return await submit(
        EXCHANGE_CODE,
        provider=provider,
        code=body.code,
        state=body.state,
        iss=body.iss,
        user=body.user,
        **more,
    )


@router.post("/{provider}/user-info", dependencies=_requires_jobs, **declare_job_route(Profile))
async def fetch_user_info(
    provider: ProviderName, body: FetchUserInfo, submit: SubmissionDependency
) -> JSONResponse:
    """Fetch a profile anew, by a stored connection or an access token."""
    await run_with_database(check_provider, provider)
    if body.connection_id is not None:
        await run_with_database(check_connection, body.connection_id, provider)
    else:
        await run_with_database(check_variables, provider, body.variables)
    return await submit(
        FETCH_USER_INFO,
        provider=provider,
        connection_id=body.connection_id,
        access_token=body.access_token,
        **_name_variables(body.variables),
    )


def _name_variables(variables: dict[str, str] | None) -> dict[str, Any]:
    """Return an argument, where there is any: a worker of an earlier release takes none."""
    return {"variables": variables} if variables else {}


@router.post(
    "/{provider}/refresh", dependencies=_requires_tokens, **declare_job_route(TokenResponse)
)
async def refresh_token(
    provider: ProviderName, body: RefreshToken, submit: SubmissionDependency
) -> JSONResponse:
    """Use a refresh token that you keep yourself; the result is the token response."""
    await run_with_database(check_variables, provider, body.variables)
    return await submit(
        REFRESH_TOKEN,
        provider=provider,
        refresh_token=body.refresh_token,
        **_name_variables(body.variables),
    )
