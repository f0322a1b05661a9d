"""From a request to a job: taken in once, sent, and waited for as the caller prefers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from catfeeder.errors import CatFeederError, QueueUnreachable
from catfeeder.jobs import JobRecord
from catfeeder.messages import MessageType
from worker.http.auth.api_keys import Caller
from worker.http.handlers.job_response import accepted
from worker.http.handlers.preferences import PreferredWait
from worker.http.jobs.idempotency import Claim
from worker.http.shim import Shim, ShimDependency

IdempotencyKeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="A name of your own for this request; a repeat within an hour gets its job.",
        min_length=1,
        max_length=255,
    ),
]


class Submission:
    """One request's way onto a queue."""

    def __init__(
        self, request: Request, shim: Shim, wait: int | None, idempotency_key: str | None
    ) -> None:
        """Take what the headers ask for."""
        self.shim = shim
        self._request = request
        self._wait = wait
        self._idempotency_key = idempotency_key

    async def __call__(
        self, message_type: MessageType, *, found: Mapping[str, Any] | None = None, **arguments: Any
    ) -> JSONResponse:
        """Send a message and answer with its job.

        `found` are arguments that nobody asked for and that we have looked up: a repeat of the
        request may find others, and is a repeat all the same.

        Raises:
            ServerStopping: No new work is taken.
            QueueOverloaded: It would wait too long.
            IdempotencyKeyReused: The key came with another request before.
            QueueUnreachable: Redis did not answer.
        """
        record = await self._take_in(message_type, arguments, found or {})
        if self._wait is not None:
            record = await self.shim.wait(record, self._wait)
        return accepted(record, self._wait)

    async def _take_in(
        self, message_type: MessageType, arguments: dict[str, Any], found: Mapping[str, Any]
    ) -> JobRecord:
        whole = {**arguments, **found}
        if self._idempotency_key is None:
            return await self.shim.send(message_type, whole)
        caller: Caller = self._request.state.caller
        claim = await run_in_threadpool(
            self.shim.idempotency.claim, caller, self._idempotency_key, message_type.name, arguments
        )
        if not claim.is_first:
            return await self.shim.job(claim.job_id)
        return await self._send_first(claim, message_type, whole)

    async def _send_first(
        self, claim: Claim, message_type: MessageType, arguments: dict[str, Any]
    ) -> JobRecord:
        try:
            return await self.shim.send(message_type, arguments, claim.job_id)
        except QueueUnreachable:
            # It may have been taken. A repeat finds it, or sends it under the same id.
            raise
        except CatFeederError:
            await run_in_threadpool(claim.release)
            raise


async def _submission(
    request: Request,
    shim: ShimDependency,
    wait: PreferredWait,
    idempotency_key: IdempotencyKeyHeader = None,
) -> Submission:
    return Submission(request, shim, wait, idempotency_key)


SubmissionDependency = Annotated[Submission, Depends(_submission)]
