"""Router of the connect pages: collects their routes; none of them is in the OpenAPI document."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from worker.http.connect import changes, landing, page, setup, sign_ins

CONNECT_ROUTERS: Final[tuple[APIRouter, ...]] = (
    landing.router,
    page.router,
    setup.router,
    sign_ins.router,
    changes.router,
)
