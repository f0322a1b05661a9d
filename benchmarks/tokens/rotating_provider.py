"""Provider that rotates refresh tokens, and counts those that come twice: `python -m ... PORT`.

RFC 9700 section 4.14.2: each refresh token serves once. One that comes again may be stolen, so a
strict provider ends the whole grant; this one refuses the request alone, and goes on counting.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs

LIFETIME_SECONDS: Final = 12
#: About what a large provider takes.
_ANSWER_SECONDS: Final = 0.1


@dataclass
class Grant:
    """What a client has been given, and what it has sent twice."""

    spent: set[str] = field(default_factory=set)
    #: When each access token was granted, by `time.time`.
    granted: list[tuple[str, float]] = field(default_factory=list)
    refused_at: list[float] = field(default_factory=list)


_grants: Final[dict[str, Grant]] = defaultdict(Grant)


async def _answer(path: str, body: str) -> tuple[int, Any]:
    client = path.strip("/").partition("/")[0]
    grant = _grants[client]
    if path.endswith("/figures"):
        return 200, {"granted": grant.granted, "refused_at": grant.refused_at}
    refresh_token = parse_qs(body).get("refresh_token", [""])[0]
    is_spent = refresh_token in grant.spent
    grant.spent.add(refresh_token)
    await asyncio.sleep(_ANSWER_SECONDS)
    if is_spent:
        grant.refused_at.append(time.time())
        return 400, {"error": "invalid_grant"}
    number = len(grant.granted) + 1
    grant.granted.append((f"access-{number}", time.time()))
    return 200, {
        "access_token": f"access-{number}",
        "refresh_token": f"refresh-{number}",
        "token_type": "Bearer",
        "expires_in": LIFETIME_SECONDS,
        "scope": "email",
    }


async def _serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
            body = await reader.readexactly(int(length or 0))
            status, answer = await _answer(head.split(b" ", 2)[1].decode(), body.decode())
            text = json.dumps(answer).encode()
            writer.write(
                f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(text)}\r\n\r\n".encode()
                + text
            )
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _serve(port: int) -> None:
    server = await asyncio.start_server(_serve_one, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
