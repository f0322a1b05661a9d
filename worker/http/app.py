"""Application factory of the HTTP shim: `python -m worker web` serves what it returns."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache, partial
from typing import Any, Final

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute

from actors.passwords.breaches.lists import open_breach_list
from actors.telemetry.tracing import is_tracing
from catfeeder.errors import CatFeederError
from catfeeder.queue.waiting import cancel_and_wait
from config import Settings, current_settings, find_url_host, reachable_host
from worker.consuming.start_checks.abilities import check_if_reachable
from worker.http.asgi.body_limit import BodyLimit
from worker.http.asgi.content_security import DOCS_PATH, build_docs_policy
from worker.http.asgi.head_requests import AnswerHead
from worker.http.asgi.logs import set_up_logging
from worker.http.asgi.request_ids import RequestIds
from worker.http.asgi.response_headers import ResponseHeaders
from worker.http.asgi.threads import run_in_reserved_thread
from worker.http.asgi.trusted_hosts import TrustedHosts
from worker.http.asgi.trusted_proxies import TrustedProxies
from worker.http.compression import CompressAnswers
from worker.http.errors.error_handlers import CatchUnexpectedErrors, register_error_handlers
from worker.http.metrics.requests import CountRequests
from worker.http.pages.assets import build_asset_routes
from worker.http.routes import root, server
from worker.http.routes.lazy_routes import LazyRoutes, load_all
from worker.http.shim import Shim, build_shim
from worker.process.join import join
from worker.process.readiness import report_ready
from worker.process_list import ANNOUNCE_SECONDS
from worker.telemetry.http_spans import TraceRequests
from worker.telemetry.process_figures import WEB
from worker.telemetry.switch import start_tracing

#: What apps ask for: it is loaded after the start, or with the first request for it before.
_APP_ROUTES: Final = (
    LazyRoutes("/v1/passwords", "worker.http.routes.passwords:router"),
    LazyRoutes("/v1/oauth", "worker.http.routes.oauth:pages"),
    LazyRoutes("/v1/oauth", "worker.http.routes.oauth:router"),
    LazyRoutes("/v1/connections", "worker.http.routes.connections:router"),
    LazyRoutes("/v1/connect-sessions", "worker.http.routes.connect_sessions:router"),
    LazyRoutes("/v1/jobs", "worker.http.routes.work.jobs:router"),
)
#: What operators ask for, and pages: it is loaded with the first request for it.
_SELDOM_ROUTES: Final = (
    LazyRoutes("/v1/providers", "worker.http.routes.providers:router"),
    LazyRoutes("/v1/catalogue", "worker.http.routes.catalogue:router"),
    LazyRoutes("/v1/apps", "worker.http.routes.access.apps:router"),
    LazyRoutes("/v1/keys", "worker.http.routes.access.keys:router"),
    LazyRoutes("/v1/events", "worker.http.routes.work.events:router"),
    LazyRoutes("/v1/webhook-deliveries", "worker.http.routes.work.webhook_deliveries:router"),
    LazyRoutes("/v1/renewals", "worker.http.routes.work.renewals:router"),
    LazyRoutes("/v1/queues", "worker.http.routes.work.queues:router"),
    LazyRoutes("/connect", "worker.http.connect.router:router"),
    LazyRoutes("/console", "worker.http.console.router:router"),
)
_AFTER_START_SECONDS: Final = 1.0
#: What a page of a listed origin may send and read, beyond what browsers always allow (CORS).
_CORS_HEADERS: Final = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "Prefer",
    "X-Request-ID",
)
_CORS_ANSWER_HEADERS: Final = ("Location", "Preference-Applied", "Retry-After", "X-Request-ID")
_CORS_METHODS: Final = ("DELETE", "GET", "PATCH", "POST", "PUT")

#: The paths are FastAPI's own.
_POLICIES: Final = {DOCS_PATH: build_docs_policy("/openapi.json", "/docs/oauth2-redirect")}


def create_app() -> FastAPI:
    """Return the application, or end the process with an error's sentence."""
    try:
        settings = current_settings()
        set_up_logging(settings)
        start_tracing(WEB)
        open_breach_list(settings.passwords)
        join(settings)
        shim = build_shim(settings)
        check_if_reachable(shim.client.redis)
        return build_app(shim)
    except CatFeederError as error:
        # The sentence names the setting to look at; a traceback would hide it.
        sys.exit(str(error))


def build_app(shim: Shim) -> FastAPI:
    """Assemble routes, error handlers and middleware around a shim."""
    app = _build_documented_app(lifespan=_lifespan, middleware=_build_middleware(shim))
    app.state.shim = shim
    register_error_handlers(app)
    return app


def describe_api() -> dict[str, Any]:
    """Return the OpenAPI document without a service behind it, for generators of clients."""
    return _build_documented_app().openapi()


def _build_documented_app(**options: Any) -> FastAPI:
    # The pages are served from here: FastAPI's own load their scripts from another server.
    app = FastAPIOffline(
        title="Cat Feeder's auth worker",
        version="1",
        summary="Passwords, sign-in with providers and fresh tokens, off your request path.",
        redoc_url=None,
        # Its own spans and logs would hold URLs and texts of errors.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        # A redirect to the path without its slash would repeat the query, codes and all.
        redirect_slashes=False,
        **options,
    )
    app.openapi = partial(_describe, app)  # type: ignore[method-assign]
    app.router.routes.extend(_build_routes())
    return app


def _describe(app: FastAPI) -> dict[str, Any]:
    # A start needs none of it.
    from worker.http.document import describe

    load_all(app.router.routes)
    return describe(app)


@cache
def _build_routes() -> list[BaseRoute]:
    """Return the routes, which all applications of a process share."""
    return [
        *_APP_ROUTES,
        *_SELDOM_ROUTES,
        *server.router.routes,
        *root.router.routes,
        *build_asset_routes(),
    ]


def _build_middleware(shim: Shim) -> list[Middleware]:
    """Return the middleware, the outermost first."""
    server_settings: Final = shim.settings.server
    # What the start prints must be answered, and what providers send users back to.
    own_hosts = (reachable_host(shim.settings.host), find_url_host(shim.settings.redirect_uri))
    chosen = [
        Middleware(RequestIds),
        Middleware(TrustedProxies, proxies=server_settings.trusted_proxies),
        Middleware(AnswerHead),
        Middleware(CountRequests, metrics=shim.metrics),
        Middleware(ResponseHeaders, policies=_POLICIES),
        Middleware(TrustedHosts, hosts=[*server_settings.trusted_hosts, *filter(None, own_hosts)]),
        Middleware(CatchUnexpectedErrors),
        Middleware(BodyLimit),
    ]
    if server_settings.gzip_minimum_bytes:
        chosen.append(Middleware(CompressAnswers, minimum_size=server_settings.gzip_minimum_bytes))
    traced = [Middleware(TraceRequests)] if is_tracing() else []
    return [*traced, *_build_cors(shim.settings), *chosen]


def _build_cors(settings: Settings) -> list[Middleware]:
    """Return the middleware that lets the configured origins read answers, errors included."""
    if not settings.server.cors_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=settings.server.cors_origins,
            allow_methods=_CORS_METHODS,
            allow_headers=_CORS_HEADERS,
            expose_headers=_CORS_ANSWER_HEADERS,
        )
    ]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    shim: Shim = app.state.shim
    await shim.draining.load_generation()
    tasks = [
        asyncio.create_task(shim.waiter.listen()),
        asyncio.create_task(shim.draining.watch()),
        asyncio.create_task(_announce_process(shim)),
        asyncio.create_task(_load_app_routes(app)),
    ]
    report_ready()
    yield
    for task in tasks:
        await cancel_and_wait(task)
    await run_in_reserved_thread(shim.metrics.end)
    await shim.close()


async def _announce_process(shim: Shim) -> None:
    """Announce this process and its metrics until cancelled, for the console and for scrapes."""
    while True:
        await run_in_reserved_thread(shim.metrics.announce)
        await asyncio.sleep(ANNOUNCE_SECONDS)


async def _load_app_routes(app: FastAPI) -> None:
    await asyncio.sleep(_AFTER_START_SECONDS)
    for route in _APP_ROUTES:
        await route.load_into(app.router.routes)
