"""Routes of passwords: hash and check them, and ask the policy."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from actors.passwords.policy import load_common_passwords
from actors.passwords.verdicts import judge_password
from catfeeder.messages import CHECK_PASSWORD, CHECK_POLICY, HASH_PASSWORD
from catfeeder.results import PasswordCheck, PasswordHash, PolicyVerdict
from worker.http.auth.api_keys import Scope, require_scope
from worker.http.auth.guarded_route import GuardedRoute
from worker.http.handlers.password_preconditions import check_comparable, check_new_password
from worker.http.handlers.submission import SubmissionDependency
from worker.http.routes.described_router import DescribedRouter
from worker.http.routes.quick_post import QuickPost
from worker.http.schemas.passwords import CheckPassword, HashPassword, PolicyPassword
from worker.http.schemas.shapes import build_model
from worker.http.schemas.work.jobs import declare_job_route
from worker.http.shim import ShimDependency

router = DescribedRouter(
    prefix="/v1/passwords",
    tags=["passwords"],
    route_class=GuardedRoute,
    dependencies=require_scope(Scope.JOBS),
)


@router.post("/hash", **declare_job_route(PasswordHash))
async def hash_password(body: HashPassword, submit: SubmissionDependency) -> JSONResponse:
    """Hash a new password; the result is `{"password_hash"}`."""
    settings = submit.shim.settings
    most = submit.caller.maximum_rounds
    await submit.shim.app_names.note()
    if body.user_inputs or settings.passwords.breach_list:
        # An estimate takes longer than a hash may; a list is read from a disk.
        await run_in_threadpool(check_new_password, body, most, settings)
    else:
        if settings.passwords.policy and not load_common_passwords.cache_info().currsize:
            # It takes as long as a hash, once.
            await run_in_threadpool(load_common_passwords)
        check_new_password(body, most, settings)
    arguments: dict[str, Any] = {"password": body.password, "rounds": body.rounds}
    # A worker of an earlier release takes none of these.
    more = {"scheme": body.scheme, "argon2": body.argon2, "user_inputs": body.user_inputs}
    arguments |= {name: value for name, value in more.items() if value}
    return await submit(HASH_PASSWORD, **arguments)


@router.post("/check", **declare_job_route(PasswordCheck))
async def check_password(body: CheckPassword, submit: SubmissionDependency) -> JSONResponse:
    """Check a password against a hash; the result is `{"valid", "needs_rehash"}`.

    With `rehash` the result has a new `password_hash` too, where the password is right and the hash
    outdated. Where you know no user of that name, send `null` as `password_hash`.
    """
    check_comparable(body, submit.caller.maximum_rounds)
    arguments: dict[str, Any] = {"password": body.password, "password_hash": body.password_hash}
    # A worker of an earlier release takes none of these.
    more = {"rehash": body.rehash, "scheme": body.scheme}
    arguments |= {name: value for name, value in more.items() if value}
    return await submit(CHECK_PASSWORD, **arguments)


@router.post("/policy", response_model=build_model(PolicyVerdict))
async def check_policy(body: PolicyPassword, shim: ShimDependency) -> JSONResponse:
    """Tell whether a new password would be taken, with every reason why not; hash nothing."""
    settings = shim.settings.passwords
    if settings.breach_range_url:
        # This process calls no other server: one that hashes does.
        arguments = {"password": body.password, "scheme": body.scheme}
        more = {"user_inputs": body.user_inputs} if body.user_inputs else {}
        seconds = shim.limits.policy_seconds
        return JSONResponse(await shim.perform(CHECK_POLICY, seconds, **arguments, **more))
    await shim.app_names.note()
    verdict = await run_in_threadpool(
        judge_password,
        body.password,
        settings,
        body.scheme,
        body.user_inputs or (),
        asks_server=False,
    )
    return JSONResponse(verdict)


router.routes += [QuickPost(each) for each in router.routes if isinstance(each, GuardedRoute)]
