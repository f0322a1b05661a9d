"""A connection's token, renewed first when it is stale, unless its renewal was put off."""

from __future__ import annotations

import asyncio
from typing import Final

from actors.connections.reading import TokenView, read_token
from actors.errors import ProviderPaused
from actors.providers.config.breaker import check_not_paused
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError
from catfeeder.messages import RENEW_CONNECTION
from catfeeder.results import StoredToken
from worker.http.asgi.threads import run_with_database
from worker.http.shim import Shim

#: A provider has 15 seconds for its answer.
_RENEWAL_SECONDS: Final = 20
#: While somebody else renews the connection we look for what they bring.
_LOOK_SECONDS: Final = 0.25
_BUSY: Final = "connection_busy"


async def read_fresh_token(shim: Shim, connection_id: str) -> StoredToken:
    """Return the token to use now; one that is stale but has not expired serves if renewal fails.

    Raises:
        ConnectionUnknown: There is no such connection.
        ReauthorizationRequired: The user has to sign in again.
        ProviderPaused: The token has expired, and the provider is not to be asked now.
        RenewalFailing: The token has expired, and it is not time yet to try again.
        CatFeederError: The token has expired, and why it could not be renewed.
    """
    now = utc_now()
    view = await run_with_database(read_token, connection_id, now)
    view.check_not_postponed(now)
    if not view.is_stale:
        return view.json
    try:
        await run_with_database(check_not_paused, view.provider, now)
    except ProviderPaused:
        if not view.is_usable:
            raise
        return {**view.json, "renewal_failing": True}
    view = await _renewed(shim, connection_id, view.version)
    return view.json


async def _renewed(shim: Shim, connection_id: str, version: int) -> TokenView:
    try:
        await shim.perform(
            RENEW_CONNECTION,
            _RENEWAL_SECONDS,
            connection_id=connection_id,
            version=version,
            await_others=False,
        )
    except CatFeederError as error:
        view = await _read_again(connection_id, patient=error.code == _BUSY)
        if view.is_usable:
            return view
        if error.code == _BUSY:
            view.check_not_postponed(utc_now())
        raise
    return await run_with_database(read_token, connection_id, utc_now())


async def _read_again(connection_id: str, *, patient: bool) -> TokenView:
    """Read the token; while another process renews an expired one, wait until it has, or failed."""
    deadline = asyncio.get_running_loop().time() + _RENEWAL_SECONDS
    while True:
        view = await run_with_database(read_token, connection_id, utc_now())
        late = asyncio.get_running_loop().time() >= deadline
        if view.is_usable or view.retry_at is not None or late or not patient:
            return view
        await asyncio.sleep(_LOOK_SECONDS)
