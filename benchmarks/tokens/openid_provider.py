"""Instant OpenID provider: each code is the nonce that its id_token has: `python -m ... PORT`."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any, Final
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID: Final = "client-of-figures"
CLIENT_SECRET: Final = "a-secret-of-figures"
_LIFETIME_SECONDS: Final = 3600


class OpenIdProvider:
    """Discovery, keys, and tokens with an id_token signed by RS256."""

    def __init__(self, port: int) -> None:
        """Make the key."""
        self._issuer = f"http://127.0.0.1:{port}"
        self._key = RSAKey.generate_key(2048, {"kid": "of-figures", "use": "sig", "alg": "RS256"})

    async def serve(self, port: int) -> None:
        """Serve until this process ends."""
        server = await asyncio.start_server(self._serve_one, "127.0.0.1", port)
        await server.serve_forever()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
                body = await reader.readexactly(int(length or 0))
                text = json.dumps(self._answer(head.split(b" ", 2)[1].decode(), body)).encode()
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    b"Content-Length: %d\r\n\r\n%b" % (len(text), text)
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, path: str, body: bytes) -> Any:
        if path.startswith("/.well-known"):
            return self._describe()
        if path.startswith("/jwks"):
            return {"keys": [self._key.as_dict(private=False)]}
        return self._grant(parse_qs(body.decode())["code"][0])

    def _describe(self) -> dict[str, Any]:
        return {
            "issuer": self._issuer,
            "authorization_endpoint": f"{self._issuer}/authorize",
            "token_endpoint": f"{self._issuer}/token",
            "jwks_uri": f"{self._issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
        }

    def _grant(self, nonce: str) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "aud": CLIENT_ID,
            "sub": f"account-{nonce}",
            "email": "ann@example.com",
            "name": "Ann Example",
            "nonce": nonce,
            "iat": now,
            "exp": now + _LIFETIME_SECONDS,
        }
        return {
            "access_token": f"access-{nonce}",
            "refresh_token": f"refresh-{nonce}",
            "token_type": "Bearer",
            "expires_in": _LIFETIME_SECONDS,
            "scope": "openid email",
            "id_token": jwt.encode({"alg": "RS256", "kid": "of-figures"}, claims, self._key),
        }


if __name__ == "__main__":
    asyncio.run(OpenIdProvider(int(sys.argv[1])).serve(int(sys.argv[1])))
