"""Fast paths: routes that plain requests take past FastAPI's routing and dependencies.

Each stands before the route of FastAPI that describes it, and that answers every other request.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

from starlette.routing import BaseRoute, Match
from starlette.types import Scope

#: Where a program of telemetry listens, FastAPI's own routes tell it what happens.
_TELEMETRY: Final = "fastapi.telemetry"


class QuickRoute(BaseRoute, ABC):
    """A route for requests of one method without a query."""

    def __init__(self, path: str, method: str) -> None:
        """`path` is the pattern of the route that it stands in for; metrics count by it."""
        self.path = path
        self._method = method

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match a plain request to the path."""
        if (
            scope["type"] != "http"
            or scope["method"] != self._method
            or scope["query_string"]
            or scope.get("root_path")
            or _TELEMETRY in scope
            or (parameters := self.find_parameters(scope["path"])) is None
        ):
            return Match.NONE, {}
        return Match.FULL, {"route": self, "path_params": parameters}

    @abstractmethod
    def find_parameters(self, path: str) -> dict[str, str] | None:
        """Return the parameters that a path holds, or None where it is another route's."""
