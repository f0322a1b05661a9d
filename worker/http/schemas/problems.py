"""Problem schema (RFC 9457): how OpenAPI describes every error, in one place."""

from __future__ import annotations

from typing import Any, Final

from worker.http.schemas.components import refer_to

_FAULT: Final = {
    "type": "object",
    "title": "Fault",
    "description": "What is wrong with one part of a request; never the value that was sent.",
    "required": ["code", "detail"],
    "properties": {
        "pointer": {"type": "string", "description": "A field of the body (RFC 6901)."},
        "parameter": {"type": "string", "description": "A parameter of path, query or headers."},
        "code": {"type": "string"},
        "detail": {"type": "string"},
    },
}
_PROBLEM: Final = {
    "type": "object",
    "title": "Problem",
    "description": "A problem (RFC 9457): why a request was refused.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "The sentence for people."},
        "code": {"type": "string", "description": "The word to act upon; jobs carry the same."},
        "request_id": {
            "type": "string",
            "description": "As in the header X-Request-ID; logs and events have the same.",
        },
        "errors": {"type": "array", "items": refer_to("Fault")},
    },
}
#: The components that the schemas of errors refer to.
PROBLEM_SCHEMAS: Final[dict[str, Any]] = {"Fault": _FAULT, "Problem": _PROBLEM}

#: For every route: it also keeps FastAPI from describing a 422 of its own, which we never send.
PROBLEM_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    "default": {
        "description": "A problem (RFC 9457).",
        "content": {"application/problem+json": {"schema": refer_to("Problem")}},
    }
}
