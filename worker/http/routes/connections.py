"""Routes of connections: list, read, renew and revoke them, and read their tokens."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Query
from starlette.responses import JSONResponse

from actors.connections.reading import describe_connection, find_connection, list_connections
from actors.derived_tokens.targets import read_target
from catfeeder.messages import RENEW_CONNECTION, REVOKE_CONNECTION
from catfeeder.queue.requester import act_for
from catfeeder.results import Connection, ConnectionPage, Revocation, StoredToken
from worker.http.asgi.threads import run_with_database
from worker.http.auth.api_keys import Scope, require_scope
from worker.http.auth.guarded_route import GuardedRoute
from worker.http.handlers.derived_tokens import read_derived_token
from worker.http.handlers.new_connections import make_connection
from worker.http.handlers.preconditions import (
    check_connection,
    find_version_to_renew,
    list_of_provider,
)
from worker.http.handlers.submission import SubmissionDependency
from worker.http.handlers.tokens import read_fresh_token
from worker.http.routes.described_router import DescribedRouter
from worker.http.routes.quick_token_read import QuickTokenRead
from worker.http.schemas.connections import ConnectionQuery, NewConnectionBody, TokenQuery
from worker.http.schemas.fields import ConnectionId
from worker.http.schemas.shapes import build_model
from worker.http.schemas.work.jobs import declare_job_route
from worker.http.shim import ShimDependency

router = DescribedRouter(prefix="/v1/connections", tags=["connections"], route_class=GuardedRoute)
_requires_reading = require_scope(Scope.CONNECTIONS_READ)
_requires_tokens = require_scope(Scope.TOKENS_READ)
_requires_jobs = require_scope(Scope.JOBS)
_ConnectionJob = declare_job_route(Connection)["response_model"]


@router.get("", response_model=build_model(ConnectionPage), dependencies=_requires_reading)
async def read_connections(query: Annotated[ConnectionQuery, Query()]) -> JSONResponse:
    """Return a page of connections, oldest first."""
    wanted = query.model_dump()
    list_page = partial(list_of_provider, list_connections)
    return JSONResponse(await run_with_database(list_page, **wanted))


@router.post(
    "",
    status_code=201,
    response_model=build_model(Connection),
    response_description="The connection was made at once; Location leads to it.",
    responses={
        200: {
            "model": build_model(Connection) | _ConnectionJob,
            "description": "The same grant was imported before; or with `Prefer: wait=N` the job "
            "has ended.",
        },
        202: {"model": _ConnectionJob, "description": "The provider is asked by a job."},
    },
    dependencies=_requires_jobs,
)
async def create_connection(body: NewConnectionBody, submit: SubmissionDependency) -> JSONResponse:
    """Make a connection without a sign-in: from credentials, or tokens of another system."""
    return await make_connection(body, submit)


@router.get(
    "/{connection_id}", response_model=build_model(Connection), dependencies=_requires_reading
)
async def read_connection(connection_id: ConnectionId) -> JSONResponse:
    """Return a connection, without its tokens."""
    return JSONResponse(await run_with_database(_describe, connection_id))


def _describe(connection_id: str) -> Connection:
    return describe_connection(find_connection(connection_id))


@router.get(
    "/{connection_id}/token", response_model=build_model(StoredToken), dependencies=_requires_tokens
)
async def read_connection_token(
    connection_id: ConnectionId, query: Annotated[TokenQuery, Query()], shim: ShimDependency
) -> JSONResponse:
    """Return a token that can be used now; it is renewed first when it is stale.

    With `scope`, `resource` or `audience` it is another one, for exactly those, which the provider
    is asked for by token exchange (RFC 8693) or a refresh, once until it is due.
    """
    target = read_target(query.scope, query.resource, query.audience)
    if target is not None:
        return JSONResponse(await read_derived_token(shim, connection_id, target))
    return JSONResponse(await read_fresh_token(shim, connection_id))


@router.post("/{connection_id}/renew", dependencies=_requires_jobs, **declare_job_route(Connection))
async def renew_connection(
    connection_id: ConnectionId, submit: SubmissionDependency
) -> JSONResponse:
    """Renew a connection's token now; the result is the connection.

    Of several requests at the same time one renews it, and the others get the same result.
    """
    repeated = await submit.find_repeated(RENEW_CONNECTION, connection_id=connection_id)
    if repeated is not None:
        return repeated
    app, version = await run_with_database(find_version_to_renew, connection_id)
    found = {"version": version}
    with act_for(app):
        return await submit(RENEW_CONNECTION, connection_id=connection_id, found=found)


@router.delete("/{connection_id}", dependencies=_requires_jobs, **declare_job_route(Revocation))
async def revoke_connection(
    connection_id: ConnectionId, submit: SubmissionDependency
) -> JSONResponse:
    """Revoke a connection at its provider and erase it."""
    repeated = await submit.find_repeated(REVOKE_CONNECTION, connection_id=connection_id)
    if repeated is not None:
        return repeated
    with act_for(await run_with_database(check_connection, connection_id)):
        return await submit(REVOKE_CONNECTION, connection_id=connection_id)


router.routes.append(QuickTokenRead(f"{router.prefix}/{{connection_id}}/token"))
