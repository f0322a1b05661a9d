"""Routes of passwords: hash and check them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from actors.passwords.policy import load_common_passwords
from catfeeder.messages import CHECK_PASSWORD, HASH_PASSWORD
from catfeeder.results import PasswordCheck, PasswordHash
from worker.http.auth.api_keys import Scope, require_scope
from worker.http.handlers.preconditions import check_comparable, check_new_password
from worker.http.handlers.quick_route import QuickRoute
from worker.http.handlers.submission import SubmissionDependency
from worker.http.schemas.jobs import declare_job_route
from worker.http.schemas.passwords import CheckPassword, HashPassword

router = APIRouter(
    prefix="/v1/passwords",
    tags=["passwords"],
    route_class=QuickRoute,
    dependencies=require_scope(Scope.JOBS),
)


@router.post("/hash", **declare_job_route(PasswordHash))
async def hash_password(body: HashPassword, submit: SubmissionDependency) -> JSONResponse:
    """Hash a new password; the result is `{"password_hash"}`."""
    settings = submit.shim.settings
    if settings.passwords.policy and not load_common_passwords.cache_info().currsize:
        # It takes as long as a hash, once.
        await run_in_threadpool(load_common_passwords)
    check_new_password(body.password, body.rounds, submit.caller.maximum_rounds, settings)
    return await submit(HASH_PASSWORD, password=body.password, rounds=body.rounds)


@router.post("/check", **declare_job_route(PasswordCheck))
async def check_password(body: CheckPassword, submit: SubmissionDependency) -> JSONResponse:
    """Check a password against a hash; the result is `{"valid", "needs_rehash"}`.

    With `rehash` the result has a new `password_hash` too, where the password is right and the hash
    outdated. Where you know no user of that name, send `null` as `password_hash`.
    """
    check_comparable(body.password, body.password_hash, submit.caller.maximum_rounds)
    arguments: dict[str, Any] = {"password": body.password, "password_hash": body.password_hash}
    # A worker of an earlier release takes no `rehash`.
    if body.rehash:
        arguments["rehash"] = True
    return await submit(CHECK_PASSWORD, **arguments)
