"""Fast path of the token read: a plain request passes by FastAPI's routing and dependencies.

It is the call that apps make most. Any other request, one with a query included, takes FastAPI's
way, whose route also describes this one.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from worker.http.auth.api_keys import RequireScope
from worker.http.auth.api_keys import Scope as KeyScope
from worker.http.handlers.tokens import read_fresh_token

_PATH: Final = re.compile("/v1/connections/([0-9a-f-]{36})/token")
#: As `json.dumps` with these options, which makes an encoder for each call.
_write_json: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":")
).encode
#: Where a program of telemetry listens, FastAPI's own routes tell it what happens.
_TELEMETRY: Final = "fastapi.telemetry"


class QuickTokenRead(BaseRoute):
    """Answers `GET` of a connection's token, where nothing else is asked for."""

    def __init__(self, path: str) -> None:
        """`path` is the pattern of the route that it stands in for; metrics count by it."""
        self.path = path
        self._requirement = RequireScope(KeyScope.TOKENS_READ)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match a plain request; its path parameter is the connection's id."""
        is_plain = (
            scope["type"] == "http"
            and scope["method"] == "GET"
            and not scope["query_string"]
            and not scope.get("root_path")
            and _TELEMETRY not in scope
        )
        found = _PATH.fullmatch(scope["path"]) if is_plain else None
        if found is None:
            return Match.NONE, {}
        return Match.FULL, {"route": self, "path_params": {"connection_id": found[1]}}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the key, and answer with the token; errors are answered as any route's."""
        request = Request(scope, receive)
        await self._requirement.check(request)
        shim: Any = request.app.state.shim
        answer = await read_fresh_token(shim, scope["path_params"]["connection_id"])
        await Response(_write_json(answer), media_type="application/json")(scope, receive, send)
