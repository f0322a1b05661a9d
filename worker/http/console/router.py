"""Router of the console: collects its routes; none of them is in the OpenAPI document."""

from __future__ import annotations

from fastapi import APIRouter

from worker.http.console import events, login, renewals, webhooks
from worker.http.console.apps import apps, keys
from worker.http.console.connections import changes, listing, many, page
from worker.http.console.overview import routes as overview
from worker.http.console.providers import catalogue, editing, providers
from worker.http.console.work import dead_letters, jobs, queues

router = APIRouter()
# As they are: FastAPI prepares a route once more where its router is included in another.
for _part in (
    login.public_router,
    login.router,
    overview.router,
    apps.router,
    keys.router,
    listing.router,
    many.router,  # Before the routes that begin with a connection's id.
    page.router,
    changes.router,
    catalogue.router,
    editing.router,
    providers.router,
    events.router,
    renewals.router,
    webhooks.router,
    queues.router,
    dead_letters.router,
    jobs.router,
):
    router.routes.extend(_part.routes)
