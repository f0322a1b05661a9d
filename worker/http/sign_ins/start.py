"""Start of a sign-in from a request: rate limits, discovery of the provider, and refusals."""

from __future__ import annotations

from typing import Unpack

from fastapi import Request

from actors.oauth.errors import IssuerMismatch, ReturnToForbidden
from actors.oauth.pending import record_refusal
from actors.oauth.sign_in import SignIn, SignInWishes, begin_sign_in, check_return_to
from actors.providers.errors import DiscoveryNeeded
from catfeeder.clock import utc_now
from catfeeder.errors import JobFailed
from catfeeder.messages import DISCOVER_PROVIDER
from models.oauth.sign_ins import TAB_VERIFICATION
from worker.http.asgi.threads import run_with_database
from worker.http.auth.client_address import get_client_address
from worker.http.errors.refusals import TooManyAttempts
from worker.http.shim import Shim


async def limit_sign_ins(shim: Shim, request: Request) -> None:
    """Count a sign-in that a browser begins without a key: each leaves a row.

    Raises:
        TooManyAttempts: Too many have begun at this address, or at all together.
    """
    limits = shim.limits
    per_minute = limits.sign_ins_per_minute, limits.sign_ins_per_minute_in_all
    await _count(shim, request, "logins", *per_minute)


async def _count(shim: Shim, request: Request, name: str, per_minute: int, in_all: int) -> None:
    """Count by address and then in all, so that no single address can use up what all have."""
    for source, limit in ((get_client_address(request), per_minute), ("all", in_all)):
        wait = await shim.rate_limiter.take(f"{name}:{source}", limit)
        if wait:
            raise TooManyAttempts(headers={"Retry-After": str(wait)})


async def limit_refusals(shim: Shim, request: Request) -> None:
    """Count a refused sign-in against the limits.

    Raises:
        TooManyAttempts: Too many came from this address, or from all together.
    """
    limits = shim.limits
    per_minute = limits.sign_in_refusals_per_minute, limits.sign_in_refusals_per_minute_in_all
    await _count(shim, request, "refused-sign-ins", *per_minute)


async def record_sign_in_refusal(
    shim: Shim,
    request: Request,
    reason: str,
    sign_in: TAB_VERIFICATION | None,
    provider: str | None = None,
) -> None:
    """Write the event of a refused sign-in.

    Raises:
        TooManyAttempts: Too many came from this address; nothing is written.
    """
    await limit_refusals(shim, request)
    await run_with_database(record_refusal, reason, sign_in, utc_now(), provider)


async def start_sign_in(
    shim: Shim, request: Request, provider: str, **wishes: Unpack[SignInWishes]
) -> SignIn:
    """Begin a sign-in; a worker fetches the issuer's metadata first if that is not known yet.

    Raises:
        ServerStopping: The process takes no new work.
        JobFailed, JobTimeout: The issuer could not be asked.
        TooManyAttempts: Too many were refused at this address.
        AuthError: As `begin_sign_in`.
    """
    shim.draining.refuse_work()

    async def begin() -> SignIn:
        return await run_with_database(begin_sign_in, provider, now=utc_now(), **wishes)

    try:
        try:
            return await begin()
        except DiscoveryNeeded:
            await shim.discoveries.run(provider, lambda: _discover(shim, provider))
            return await begin()
    except (IssuerMismatch, ReturnToForbidden, JobFailed) as refused:
        if wishes.get("browser") is None:
            await record_sign_in_refusal(shim, request, refused.code, None, provider)
        else:
            # No key was needed: an event each would fill the trail.
            await limit_refusals(shim, request)
            shim.metrics.refused_logins.labels(provider, refused.code).inc()
        raise


async def _discover(shim: Shim, provider: str) -> None:
    await shim.perform(DISCOVER_PROVIDER, shim.limits.discovery_seconds, provider=provider)


def is_permitted_return_to(return_to: str) -> bool:
    """Return whether a browser may be sent to a URL."""
    try:
        check_return_to(return_to)
    except ReturnToForbidden:
        return False
    return True
