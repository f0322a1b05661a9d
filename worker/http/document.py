"""OpenAPI document: FastAPI's own, with the schemas of errors and bodies as named components."""

from __future__ import annotations

import copy
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from worker.http.auth.api_keys import APP_HEADER
from worker.http.introduction import INTRODUCTION, TAGS
from worker.http.schemas.components import leave_out_null, move_to_components
from worker.http.schemas.problems import PROBLEM_SCHEMAS

#: Read as a request is authenticated, whatever its route.
_ACTING_APP: Final = {
    "name": APP_HEADER,
    "in": "header",
    "required": False,
    "description": "The app that an operator's key acts for; any other key may name its own alone.",
    "schema": {"type": "string"},
    "example": "default",
}


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an application, which is made once."""
    if not app.openapi_schema:
        app.openapi_schema = _build_document(app)
    return app.openapi_schema


def _build_document(app: FastAPI) -> dict[str, Any]:
    made = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version=app.openapi_version,
        summary=app.summary,
        description=INTRODUCTION,
        tags=TAGS,
        routes=app.routes,
    )
    # Parts of it belong to the routes, which other applications of the process share.
    document = copy.deepcopy(made)
    schemas: dict[str, Any] = document["components"]["schemas"]
    schemas.update(PROBLEM_SCHEMAS)
    document["components"]["parameters"] = {"ActingApp": _ACTING_APP}
    for operations in document["paths"].values():
        for operation in operations.values():
            if "security" in operation:
                shared = {"$ref": "#/components/parameters/ActingApp"}
                operation.setdefault("parameters", []).append(shared)
            for parameter in operation.get("parameters", []):
                leave_out_null(parameter.get("schema", {}))
            for content in operation.get("requestBody", {}).get("content", {}).values():
                content["schema"] = move_to_components(content["schema"], schemas)
    return document
