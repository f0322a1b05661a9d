"""Problem schema: how OpenAPI describes every error."""

from __future__ import annotations

from typing import Any, Final

_FAULT: Final = {
    "type": "object",
    "properties": {
        "pointer": {"type": "string", "description": "A field of the body (RFC 6901)."},
        "parameter": {"type": "string", "description": "A parameter of path, query or headers."},
        "code": {"type": "string"},
        "detail": {"type": "string"},
    },
}
_PROBLEM: Final = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "The word to act upon; jobs carry the same."},
        "errors": {"type": "array", "items": _FAULT},
    },
}

#: For every route: it also keeps FastAPI from describing a 422 of its own, which we never send.
PROBLEM_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    "default": {
        "description": "A problem (RFC 9457).",
        "content": {"application/problem+json": {"schema": _PROBLEM}},
    }
}
