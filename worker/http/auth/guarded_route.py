"""Routes that look at the key and the kind of the body before they read the body."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute

from worker.http.auth.api_keys import RequireScope
from worker.http.errors.refusals import MediaTypeUnsupported

_JSON_TYPES: Final = ("application/json", "application/merge-patch+json")


class GuardedRoute(APIRoute):
    """FastAPI reads and parses the body first and asks for the key after; here it is the other way.

    So a stranger makes us read nothing, and learns nothing of what a route would take.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Declare a route, and tell people which scope it needs."""
        super().__init__(path, endpoint, **options)
        for need in self._required_scopes():
            self.description += f"\n\nNeeds a key with the scope `{need.scope}`."

    def _required_scopes(self) -> list[RequireScope]:
        demands = [demand.dependency for demand in self.dependencies]
        return [demand for demand in demands if isinstance(demand, RequireScope)]

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Put the guards before what handles the request."""
        handle = self.unguarded_handler()
        needs = self._required_scopes()
        takes_json = self.body_field is not None

        async def guarded(request: Request) -> Response:
            for need in needs:
                await need.check(request)
            if takes_json:
                _check_media_type(request)
            return await handle(request)

        return guarded

    def unguarded_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's own handler."""
        return super().get_route_handler()


def _check_media_type(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    has_body = "transfer-encoding" in request.headers or request.headers.get(
        "content-length", "0"
    ) not in ("", "0")
    if has_body and media_type not in _JSON_TYPES:
        raise MediaTypeUnsupported(headers={"Accept": _JSON_TYPES[0]})
