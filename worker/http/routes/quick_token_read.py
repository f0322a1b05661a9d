"""Fast path of the token read, which is the call that apps make most."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from worker.http.auth.api_keys import RequireScope
from worker.http.auth.api_keys import Scope as KeyScope
from worker.http.handlers.tokens import read_fresh_token
from worker.http.routes.quick_route import QuickRoute

_PATH: Final = re.compile("/v1/connections/([0-9a-f-]{36})/token")
#: As `json.dumps` with these options, which makes an encoder for each call.
_write_json: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":")
).encode


class QuickTokenRead(QuickRoute):
    """Answers `GET` of a connection's token, where nothing else is asked for."""

    def __init__(self, path: str) -> None:
        super().__init__(path, "GET")
        self._requirement = RequireScope(KeyScope.TOKENS_READ)

    def find_parameters(self, path: str) -> dict[str, str] | None:
        """Return the connection's id."""
        found = _PATH.fullmatch(path)
        return found and {"connection_id": found[1]}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the key, and answer with the token; errors are answered as any route's."""
        request = Request(scope, receive)
        await self._requirement.check(request)
        shim: Any = request.app.state.shim
        answer = await read_fresh_token(shim, scope["path_params"]["connection_id"])
        await Response(_write_json(answer), media_type="application/json")(scope, receive, send)
