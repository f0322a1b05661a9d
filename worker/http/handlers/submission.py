"""Job submission: a request's message is sent once, and awaited as the caller prefers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from catfeeder.errors import CatFeederError, JobExpired, QueueUnreachable
from catfeeder.messages import MessageType
from catfeeder.queue.jobs.store import JobRecord
from worker.http.auth.api_keys import Caller
from worker.http.handlers.job_response import build_job_response
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
    """A request's headers, applied to the job that its route sends."""

    def __init__(
        self, request: Request, shim: Shim, wait: int | None, idempotency_key: str | None
    ) -> None:
        self.shim = shim
        self._request = request
        self._wait = wait
        self._idempotency_key = idempotency_key

    @property
    def caller(self) -> Caller:
        """The sender of the request."""
        caller: Caller = self._request.state.caller
        return caller

    async def __call__(
        self, message_type: MessageType, *, found: Mapping[str, Any] | None = None, **arguments: Any
    ) -> JSONResponse:
        """Send a message and answer with its job.

        `found` are arguments that this process has looked up. They are no part of the request's
        fingerprint: a repeat may find others, and is a repeat all the same.

        Raises:
            ServerStopping: The process takes no new work.
            QueueOverloaded: The job would wait too long.
            IdempotencyKeyReused: The key came with another request before.
            IdempotencyKeySpoilt: Another program has written what Redis holds of the key.
            QueueUnreachable: Redis did not answer.
        """
        record = await self._get_or_send(message_type, arguments, found or {})
        if self._wait is not None:
            record = await self.shim.wait(record, self._wait)
        return build_job_response(record, self._wait)

    async def find_repeated(
        self, message_type: MessageType, **arguments: Any
    ) -> JSONResponse | None:
        """Return the answer with the first request's job, if this is a repeat that it answers.

        A route asks before it looks at what the job itself may have changed or erased.

        Raises:
            IdempotencyKeyReused, IdempotencyKeySpoilt, QueueUnreachable: As `__call__`.
        """
        if self._idempotency_key is None:
            return None
        find, key = self.shim.idempotency.find, self._idempotency_key
        job_id = await run_in_threadpool(find, self.caller, key, message_type.name, arguments)
        if job_id is None:
            return None
        try:
            record = await self.shim.job(job_id)
        except JobExpired:
            return None
        if record.error is not None and not record.error.permanent:
            return None
        if self._wait is not None:
            record = await self.shim.wait(record, self._wait)
        return build_job_response(record, self._wait)

    async def _get_or_send(
        self, message_type: MessageType, arguments: dict[str, Any], found: Mapping[str, Any]
    ) -> JobRecord:
        all_arguments = {**arguments, **found}
        if self._idempotency_key is None:
            return await self.shim.send(message_type, all_arguments)
        claim = await self._claim(self._idempotency_key, message_type, arguments)
        if not claim.is_first:
            record = await self.shim.job(claim.job_id)
            if record.error is None or record.error.permanent:
                return record
            if not await run_in_threadpool(claim.renew):
                # Another repeat begins anew at this moment: this one gets its job.
                claim = await self._claim(self._idempotency_key, message_type, arguments)
        if not claim.is_first:
            return await self.shim.job(claim.job_id)
        return await self._send_first(claim, message_type, all_arguments)

    async def _claim(
        self, key: str, message_type: MessageType, arguments: Mapping[str, Any]
    ) -> Claim:
        return await run_in_threadpool(
            self.shim.idempotency.claim, self.caller, key, message_type.name, dict(arguments)
        )

    async def _send_first(
        self, claim: Claim, message_type: MessageType, arguments: dict[str, Any]
    ) -> JobRecord:
        try:
            return await self.shim.send(message_type, arguments, claim.job_id)
        except QueueUnreachable:
            # Redis may have taken the job. A repeat finds it, or sends it under the same id.
            raise
        except CatFeederError:
            await run_in_threadpool(claim.release)
            raise


async def _build_submission(
    request: Request,
    shim: ShimDependency,
    wait: PreferredWait,
    idempotency_key: IdempotencyKeyHeader = None,
) -> Submission:
    return Submission(request, shim, wait, idempotency_key)


SubmissionDependency = Annotated[Submission, Depends(_build_submission)]
