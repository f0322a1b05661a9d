"""Router of the API: its routes describe their errors, and are named by their functions.

FastAPI prepares a route once more where its router is included in another, which would do that.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute

from worker.http.schemas.problems import PROBLEM_RESPONSES


class DescribedRouter(APIRouter):
    """A router whose routes an application takes over as they are."""

    def __init__(self, **options: Any) -> None:
        """`options` are FastAPI's own, such as `prefix`, `tags` and `dependencies`."""
        super().__init__(
            responses=PROBLEM_RESPONSES, generate_unique_id_function=name_operation, **options
        )


def name_operation(route: APIRoute) -> str:
    """Return the operation id of a route: the name of its function, such as `hash_password`."""
    return route.name
