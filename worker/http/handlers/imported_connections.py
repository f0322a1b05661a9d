"""Imported connections: stored at once, and on request proven by a job."""

from __future__ import annotations

from starlette.responses import JSONResponse

from actors.connections.reading import describe_connection
from actors.moving.importing import import_connection
from actors.moving.records import ImportRecord
from catfeeder.clock import utc_now
from catfeeder.messages import VERIFY_CONNECTION
from catfeeder.queue.requester import act_for
from catfeeder.results import Connection
from worker.http.asgi.threads import run_with_database
from worker.http.handlers.submission import Submission


async def import_tokens(record: ImportRecord, submit: Submission, *, verify: bool) -> JSONResponse:
    """Answer 201 with a new connection, 200 with one that the grant was imported as before.

    With `verify` the answer is that of a job, whose result is the connection.
    """
    connection, is_new, version = await run_with_database(_import, record)
    if verify:
        with act_for(connection["app"]):
            return await submit(
                VERIFY_CONNECTION, connection_id=connection["id"], found={"version": version}
            )
    location = {"Location": f"/v1/connections/{connection['id']}"}
    return JSONResponse(connection, 201 if is_new else 200, location)


def _import(record: ImportRecord) -> tuple[Connection, bool, int]:
    row, is_new = import_connection(record, utc_now())
    return describe_connection(row), is_new, row.version
