"""Route class that checks the API key and the media type before it reads the body."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute

from worker.http.auth.api_keys import RequireScope
from worker.http.errors.refusals import MediaTypeUnsupported

_JSON_TYPES: Final = ("application/json", "application/merge-patch+json")
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class GuardedRoute(APIRoute):
    """A route that authenticates first; FastAPI reads and parses the body before it does so.

    A caller without a key makes us read nothing, and learns nothing of what a route would take.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Take the summary from the docstring, and add the required scope to the description."""
        super().__init__(path, endpoint, **options)
        self.summary, rest = _part_summary(self.description)
        scopes = [requirement.scope for requirement in self.find_required_scopes()]
        needs = [f"Needs a key with the scope `{scope}`." for scope in scopes]
        self.description = "\n\n".join(filter(None, [rest, *needs]))

    def find_required_scopes(self) -> list[RequireScope]:
        """Return what it asks of the caller's key."""
        found = [dependency.dependency for dependency in self.dependencies]
        return [dependency for dependency in found if isinstance(dependency, RequireScope)]

    def get_route_handler(self) -> _Handler:
        """Return FastAPI's hook: a handler that runs the guards first."""
        handle = self.get_unguarded_handler()
        requirements = self.find_required_scopes()
        takes_json = self.body_field is not None

        async def check_and_handle(request: Request) -> Response:
            for requirement in requirements:
                await requirement.check(request)
            if takes_json:
                _check_media_type(request)
            return await handle(request)

        return check_and_handle

    def get_unguarded_handler(self) -> _Handler:
        """Return FastAPI's own handler."""
        return super().get_route_handler()


def _part_summary(text: str) -> tuple[str, str]:
    """Return a docstring's first sentence, as plain text without its full stop, and the rest."""
    first, _, rest = text.partition("\n")
    return first.replace("`", "").removesuffix("."), rest.strip()


def _check_media_type(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    has_body = "transfer-encoding" in request.headers or request.headers.get(
        "content-length", "0"
    ) not in ("", "0")
    if has_body and media_type not in _JSON_TYPES:
        raise MediaTypeUnsupported(headers={"Accept": _JSON_TYPES[0]})
