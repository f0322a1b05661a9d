"""Token reads in batches: reads that arrive during one look at the database share the next.

A thread for each read costs several times what the read does: the threads wait for each other, and
for the event loop, at each step.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from actors.connections.token_reading import TokenView, read_token, read_tokens
from catfeeder.clock import utc_now
from catfeeder.queue.requester import is_visible
from worker.http.asgi.batcher import Batcher
from worker.http.asgi.threads import run_with_database


class TokenReader:
    """Reads tokens as they are in the database now; nothing is kept from one batch to the next."""

    def __init__(self) -> None:
        self._batcher: Batcher[str, TokenView | None] = Batcher(_read_all)

    async def read(self, connection_id: str, now: datetime) -> TokenView:
        """Return the token of a connection that the acting app has.

        Raises:
            CatFeederError: As `read_token`.
        """
        view = await self._batcher.ask(connection_id)
        # A batch is for readers of several apps, so it finds those of all.
        if view is not None and is_visible(view.app):
            return view
        return await run_with_database(read_token, connection_id, now)


async def _read_all(ids: list[str]) -> Sequence[TokenView | None]:
    views = await run_with_database(read_tokens, list(dict.fromkeys(ids)), utc_now())
    return [views.get(connection_id) for connection_id in ids]
