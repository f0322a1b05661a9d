"""Routes that fit a refused request: the methods of its path, and the fields of its body."""

from __future__ import annotations

from fastapi import Request
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from starlette.routing import Match, Route


def list_methods(request: Request) -> list[str]:
    """Return the methods that the request's path takes (RFC 9110 section 10.2.1).

    A path has a route for each of its methods, of which the framework names one alone. HEAD is
    answered wherever GET is, and OPTIONS everywhere.
    """
    routes = [context.original_route for context in iter_route_contexts(request.app.routes)]
    found = {"OPTIONS"}
    for route in routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return sorted(found | ({"HEAD"} if "GET" in found else set()))


def list_fields(request: Request) -> list[str]:
    """Return the names of the fields of the body that the request's route takes."""
    field = getattr(request.scope.get("route"), "body_field", None)
    model = getattr(getattr(field, "field_info", None), "annotation", None)
    if not isinstance(model, type) or not issubclass(model, BaseModel):
        return []
    return [each.alias or name for name, each in model.model_fields.items()]
