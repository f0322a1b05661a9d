"""Lazy routes: those that a process loads when the first of them is asked for, or after its start.

Most are pages, and what operators ask seldom. A start of `web` takes half the time of a core.
"""

from __future__ import annotations

import pkgutil
from functools import cached_property

from starlette._utils import get_route_path
from starlette.concurrency import run_in_threadpool
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from worker.http.routes.quick_route import QuickRoute


class LazyRoutes(BaseRoute):
    """Stands for all routes of a path and below, until there is a request for one."""

    def __init__(self, path: str, router: str) -> None:
        """`router` is the module of the routes and the name that their router has there."""
        self._path = path
        self._router = router

    @cached_property
    def _loaded(self) -> list[BaseRoute]:
        routes: list[BaseRoute] = pkgutil.resolve_name(self._router).routes
        return routes

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match whatever its routes may take; they decide."""
        path = get_route_path(scope) if scope["type"] == "http" else ""
        is_below = path == self._path or path.startswith(f"{self._path}/")
        return (Match.FULL if is_below else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Load the routes, and route the request anew."""
        router = scope["router"]
        await self.load_into(router.routes)
        await router(scope, receive, send)

    async def load_into(self, routes: list[BaseRoute]) -> None:
        """Put its routes in its place, loaded in a thread, so that other requests go on."""
        await run_in_threadpool(lambda: self._loaded)
        self.give_way(routes)

    def give_way(self, routes: list[BaseRoute]) -> None:
        """Put its routes in its place, and fast paths before all, unless they stand there."""
        if self in routes:
            at = routes.index(self)
            routes[at : at + 1] = [each for each in self._loaded if not _is_quick(each)]
            routes[:0] = filter(_is_quick, self._loaded)


def _is_quick(route: BaseRoute) -> bool:
    return isinstance(route, QuickRoute)


def load_all(routes: list[BaseRoute]) -> None:
    """Load the lazy ones among an application's routes."""
    for route in list(routes):
        if isinstance(route, LazyRoutes):
            route.give_way(routes)
