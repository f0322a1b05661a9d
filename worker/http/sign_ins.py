"""Beginning a sign-in from a request, discovery of the provider included."""

from __future__ import annotations

from typing import Final

from actors.errors import DiscoveryNeeded
from actors.sign_in import SignIn, begin_sign_in
from catfeeder.jobs import utc_now
from catfeeder.messages import DISCOVER_PROVIDER
from worker.http.shim import Shim
from worker.http.threads import in_database

#: Longer than a worker may take to ask the issuer.
_DISCOVERY_SECONDS: Final = 20


async def start_sign_in(
    shim: Shim,
    provider: str,
    *,
    subject: str | None = None,
    scope: str | None = None,
    return_to: str | None = None,
) -> SignIn:
    """Begin a sign-in; a worker is asked for what the issuer publishes if that is not known yet.

    Raises:
        ServerStopping: No new work is taken.
        JobFailed, JobTimeout: The issuer could not be asked.
        AuthError: As `begin_sign_in`.
    """
    shim.draining.refuse_work()

    async def begin() -> SignIn:
        return await in_database(
            begin_sign_in,
            provider,
            subject=subject,
            scope=scope,
            return_to=return_to,
            now=utc_now(),
        )

    try:
        return await begin()
    except DiscoveryNeeded:
        await shim.perform(DISCOVER_PROVIDER, _DISCOVERY_SECONDS, provider=provider)
        return await begin()
