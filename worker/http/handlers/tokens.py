"""Token read: a connection's token, renewed first when it is stale, unless that was put off."""

from __future__ import annotations

import asyncio
from typing import Final

from actors.connections.token_reading import TokenView, read_token
from actors.providers.config.breaker import check_not_paused
from actors.providers.errors import ProviderPaused
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError
from catfeeder.messages import RENEW_CONNECTION
from catfeeder.queue.requester import act_for
from catfeeder.results import StoredToken
from worker.http.asgi.threads import run_with_database
from worker.http.shim import Shim

#: How often the row is polled while another process renews the connection.
_POLL_SECONDS: Final = 0.25
_BUSY: Final = "connection_busy"


async def read_fresh_token(shim: Shim, connection_id: str) -> StoredToken:
    """Return the token to use now; a stale one that has not expired serves if renewal fails.

    Raises:
        ConnectionUnknown: There is no such connection.
        ReauthorizationRequired: The user has to sign in again.
        ProviderPaused: The token has expired, and the provider's circuit breaker is open.
        RenewalFailing: The token has expired, and the next attempt is not due yet.
        CatFeederError: The token has expired, and why it could not be renewed.
    """
    now = utc_now()
    view = await shim.token_reader.read(connection_id, now)
    view.check_not_postponed(now)
    if not view.is_stale:
        return view.json
    try:
        await run_with_database(check_not_paused, view.provider, now)
    except ProviderPaused:
        if not view.is_usable:
            raise
        return {**view.json, "renewal_failing": True}
    with act_for(view.app):
        view = await _renew(shim, connection_id, view.version)
    return view.json


async def _renew(shim: Shim, connection_id: str, version: int) -> TokenView:
    seconds = shim.limits.renewal_seconds
    try:
        await shim.perform(
            RENEW_CONNECTION,
            seconds,
            connection_id=connection_id,
            version=version,
            await_others=False,
        )
    except CatFeederError as error:
        is_busy = error.code == _BUSY
        view = await _read_again(connection_id, wait_seconds=seconds if is_busy else 0)
        if view.is_usable:
            return view
        if is_busy:
            view.check_not_postponed(utc_now())
        raise
    return await run_with_database(read_token, connection_id, utc_now())


async def _read_again(connection_id: str, *, wait_seconds: float) -> TokenView:
    """Read the token; wait for another process that renews an expired one to succeed or fail."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_seconds
    while True:
        view = await run_with_database(read_token, connection_id, utc_now())
        if view.is_usable or view.retry_at is not None or loop.time() >= deadline:
            return view
        await asyncio.sleep(_POLL_SECONDS)
