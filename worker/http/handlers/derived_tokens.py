"""Derived token read: from its row, else a worker asks the provider, once for all that wait."""

from __future__ import annotations

import asyncio
from typing import Final

from actors.connections.errors import ConnectionBusy
from actors.derived_tokens.reading import DerivedView, read_derived
from actors.providers.protocol.tokens.targets import Target
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError
from catfeeder.messages import EXCHANGE_TOKEN
from catfeeder.queue.requester import act_for
from catfeeder.results import StoredToken
from worker.http.asgi.threads import run_with_database
from worker.http.shim import Shim

#: The row is polled while another process asks for the token, at longer and longer intervals.
_POLL_SECONDS: Final = 0.1
_MAX_POLL_SECONDS: Final = 2.0
_BUSY: Final = "connection_busy"


async def read_derived_token(shim: Shim, connection_id: str, target: Target) -> StoredToken:
    """Return a connection's token for a target; one that has not expired serves if asking fails.

    Raises:
        ConnectionUnknown, ReauthorizationRequired: There is no grant to derive it from.
        JobFailed: The provider refuses it, or did so a moment ago.
        CatFeederError: It could not be asked.
    """
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + shim.limits.renewal_seconds, _POLL_SECONDS
    while True:
        view = await run_with_database(read_derived, connection_id, target, utc_now())
        if view.json is not None and (not view.is_due or view.is_leased or view.failure):
            return view.json
        if view.failure is not None:
            raise view.failure
        if not view.is_leased and (found := await _ask(shim, connection_id, target, view)):
            return found
        if loop.time() >= deadline:
            raise ConnectionBusy
        await asyncio.sleep(pause)
        pause = min(2 * pause, _MAX_POLL_SECONDS)


async def _ask(
    shim: Shim, connection_id: str, target: Target, view: DerivedView
) -> StoredToken | None:
    """Have a worker ask for a token, and return it; None while another one is at it."""
    asked = target.to_json()
    asked_for = {"scope": " ".join(asked.pop("scope", [])) or None, **asked}
    try:
        with act_for(view.app):
            seconds = shim.limits.renewal_seconds
            await shim.perform(EXCHANGE_TOKEN, seconds, connection_id=connection_id, **asked_for)
    except CatFeederError as error:
        if view.json is not None:
            return {**view.json, "renewal_failing": True}
        if error.code != _BUSY:
            raise
        return None
    return (await run_with_database(read_derived, connection_id, target, utc_now())).json
