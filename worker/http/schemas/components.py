"""Components of the OpenAPI document: schemas that stand in one place, and are referred to."""

from __future__ import annotations

from typing import Any, Final

REF_TEMPLATE: Final = "#/components/schemas/{model}"
#: Names the component that a schema is to become; FastAPI gives the title of a body another value.
COMPONENT: Final = "x-component"


def refer_to(name: str) -> dict[str, str]:
    """Return a reference to a component."""
    return {"$ref": REF_TEMPLATE.format(model=name)}


def leave_out_null(schema: dict[str, Any]) -> None:
    """Take null out of a member of what is text: a query, a header or a form."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        del schema["anyOf"]
        schema.update(kinds[0])
    if schema.get("default", ...) is None:
        del schema["default"]


def move_to_components(schema: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    """Move an object's schema that is written out in place, and return a reference to it."""
    if "properties" not in schema:
        return schema
    moved = dict(schema)
    for name, inner in moved.pop("$defs", {}).items():
        components.setdefault(name, inner)
    name = moved.pop(COMPONENT, moved["title"])
    components[name] = {**moved, "title": name}
    return refer_to(name)
