"""Beginning a sign-in from a request, discovery of the provider included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fastapi import Request

from actors.errors import DiscoveryNeeded
from actors.oauth.errors import ReturnToForbidden
from actors.oauth.pending import record_refusal
from actors.oauth.sign_in import SignIn, begin_sign_in
from catfeeder.clock import utc_now
from catfeeder.errors import JobFailed
from catfeeder.messages import DISCOVER_PROVIDER
from catfeeder.sealing import Secret
from models.oauth.sign_ins import TAB_VERIFICATION
from worker.http.asgi.threads import run_with_database
from worker.http.auth.client_address import get_client_address
from worker.http.errors.refusals import TooManyAttempts
from worker.http.shim import Shim

#: Longer than a worker may take to ask the issuer.
_DISCOVERY_SECONDS: Final = 20
#: Many people may share an address, but not so many that more than this sign in at once.
_LOGINS_PER_MINUTE: Final = 300
#: Nobody needs a key to be refused, and each refusal is an event: nobody may fill the trail so.
_REFUSALS_PER_MINUTE: Final = 30


async def limit_sign_ins(shim: Shim, request: Request) -> None:
    """Let a browser begin, unless too many have begun from its address: each leaves a row.

    Raises:
        TooManyAttempts: They have.
    """
    wait = await shim.rate_limiter.take(f"logins:{get_client_address(request)}", _LOGINS_PER_MINUTE)
    if wait:
        raise TooManyAttempts(headers={"Retry-After": str(wait)})


async def record_sign_in_refusal(
    shim: Shim,
    request: Request,
    reason: str,
    sign_in: TAB_VERIFICATION | None,
    provider: str | None = None,
) -> None:
    """Put a refusal on record, unless too many came from this address.

    Raises:
        TooManyAttempts: They did.
    """
    wait = await shim.rate_limiter.take(
        f"refused-sign-ins:{get_client_address(request)}", _REFUSALS_PER_MINUTE
    )
    if wait:
        raise TooManyAttempts(headers={"Retry-After": str(wait)})
    await run_with_database(record_refusal, reason, sign_in, utc_now(), provider)


async def start_sign_in(
    shim: Shim,
    request: Request,
    provider: str,
    *,
    subject: str | None = None,
    scope: str | None = None,
    return_to: str | None = None,
    browser: Secret | None = None,
    relay: bool = False,
    earlier_browsers: Sequence[Secret] = (),
) -> SignIn:
    """Begin a sign-in; a worker is asked for what the issuer publishes if that is not known yet.

    Raises:
        ServerStopping: No new work is taken.
        JobFailed, JobTimeout: The issuer could not be asked.
        TooManyAttempts: Too many were refused at this address.
        AuthError: As `begin_sign_in`.
    """
    shim.draining.refuse_work()

    async def begin() -> SignIn:
        return await run_with_database(
            begin_sign_in,
            provider,
            subject=subject,
            scope=scope,
            return_to=return_to,
            browser=browser,
            relay=relay,
            earlier_browsers=earlier_browsers,
            now=utc_now(),
        )

    try:
        try:
            return await begin()
        except DiscoveryNeeded:
            await shim.perform(DISCOVER_PROVIDER, _DISCOVERY_SECONDS, provider=provider)
            return await begin()
    except (ReturnToForbidden, JobFailed) as refused:
        await record_sign_in_refusal(shim, request, refused.code, None, provider)
        raise
