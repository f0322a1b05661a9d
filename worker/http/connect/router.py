"""Router of the connect pages: collects their routes; none of them is in the OpenAPI document."""

from __future__ import annotations

from fastapi import APIRouter

from worker.http.connect import changes, landing, page, setup, sign_ins

router = APIRouter()
# As they are: FastAPI prepares a route once more where its router is included in another.
for _part in (
    landing.router,
    page.router,
    setup.router,
    sign_ins.router,
    changes.router,
):
    router.routes.extend(_part.routes)
