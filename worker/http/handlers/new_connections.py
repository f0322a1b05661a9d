"""New connections without a sign-in: made at once, or by a job where a provider has to be asked."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse

from actors.connections.creation import NewConnection, create_at_once
from catfeeder.clock import utc_now
from catfeeder.messages import CREATE_CONNECTION
from catfeeder.sealing import Secret
from worker.http.asgi.threads import run_with_database
from worker.http.handlers.imported_connections import import_tokens
from worker.http.handlers.submission import Submission
from worker.http.schemas.connections import NewConnectionBody
from worker.http.schemas.imports import to_record


async def make_connection(body: NewConnectionBody, submit: Submission) -> JSONResponse:
    """Answer 201 with a connection that was made at once, else as `Submission` does with a job."""
    if body.tokens is not None:
        record = to_record(body.provider, body.subject, body, body.variables)
        return await import_tokens(record, submit, verify=body.verify)
    return await _make_from_credentials(body, body.credentials or {}, submit)


async def _make_from_credentials(
    body: NewConnectionBody, credentials: Mapping[str, Secret], submit: Submission
) -> JSONResponse:
    new = NewConnection(body.provider, credentials, body.subject, body.scope, body.variables)
    if connection := await run_with_database(create_at_once, new, utc_now()):
        location = {"Location": f"/v1/connections/{connection['id']}"}
        return JSONResponse(connection, 201, location)
    return await submit(
        CREATE_CONNECTION,
        provider=new.provider,
        credentials=new.credentials,
        subject=new.subject,
        scope=new.scope,
        variables=new.variables,
    )
