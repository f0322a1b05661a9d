"""Parameters and forms that browsers bring, which are parsed by hand: how OpenAPI shows them."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from catfeeder.results import Connection
from worker.http.schemas.components import leave_out_null
from worker.http.schemas.shapes import build_model
from worker.http.schemas.sign_ins import Login


def _describe_parameter(name: str, description: str) -> dict[str, Any]:
    schema = {"type": "string"}
    return {"name": name, "in": "query", "description": description, "schema": schema}


_CALLBACK_FIELDS: Final = {
    "code": "The authorization code.",
    "state": "The state that the sign-in began with.",
    "iss": "The issuer (RFC 9207).",
    "error": "Why there is no code (RFC 6749 section 4.1.2.1).",
}
#: Parsed by hand, since a parameter that is there twice must be refused (RFC 6749 section 3.1).
CALLBACK_PARAMETERS: Final[dict[str, Any]] = {
    "parameters": [_describe_parameter(name, text) for name, text in _CALLBACK_FIELDS.items()]
}
#: The same in a form (OAuth 2.0 Form Post Response Mode).
CALLBACK_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "title": "AuthorizationResponse",
                    "type": "object",
                    "properties": {
                        name: {"type": "string", "description": text}
                        for name, text in _CALLBACK_FIELDS.items()
                    },
                }
            }
        },
    }
}
#: The options of a route that ends a sign-in.
CALLBACK_ANSWERS: Final[dict[str, Any]] = {
    "response_model": build_model(Connection),
    "response_description": "The connection, where the sign-in names no `return_to`.",
    "responses": {303: {"description": "On to the sign-in's `return_to`."}},
}

#: Parsed by hand, as FastAPI reads no parameters that are objects.
LOGIN_PARAMETERS: Final[dict[str, Any]] = {
    "parameters": [
        {
            "name": "variables",
            "in": "query",
            "style": "deepObject",
            "description": "What the provider's URLs are filled in with, a parameter each: "
            "`variables[subdomain]=acme`.",
            "schema": {"type": "object", "additionalProperties": {"type": "string"}},
        }
    ]
}


def _describe_form(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of a form, in which everything is text and nothing is null."""
    schema = model.model_json_schema()
    for member in schema["properties"].values():
        leave_out_null(member)
    return schema


#: Parsed by hand, as FastAPI reads forms by a package that nothing else here needs.
LOGIN_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {"application/x-www-form-urlencoded": {"schema": _describe_form(Login)}},
    }
}
