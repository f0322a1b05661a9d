"""Console sessions: a sealed cookie, and a record in Redis by which a logout ends it at once."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import Response

from catfeeder.errors import SealBroken
from catfeeder.queue.broker import NAMESPACE
from catfeeder.queue.redis.connection import translate_redis_errors
from catfeeder.sealing import CONSOLE_LABEL, KeyRing, Secret
from config import Settings

SESSION_SECONDS: Final = 12 * 3600
_NAME: Final = "catfeeder-console"
_PREFIX: Final = f"{NAMESPACE}:console-session:"
_CONTEXT: Final = "console session"
_RANDOM_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class ConsoleSession:
    """What the cookie holds: the key that opened the session, and the token of its forms.

    With the key in it, a session ends when that key is changed or revoked, and has its scopes.
    """

    id: str
    api_key: Secret
    csrf_token: str


class ConsoleSessions:
    """Begins, reads and ends sessions."""

    def __init__(self, settings: Settings, redis: Redis) -> None:
        """Derive `Secure` from the redirect URI: by that address browsers come."""
        self._sealer = KeyRing(settings.secret_keys()).sealer(CONSOLE_LABEL)
        self._redis = redis
        self._is_secure = urlsplit(settings.redirect_uri).scheme == "https"
        #: With this prefix no other host below the same domain can put a cookie in its place.
        self._cookie = f"__Host-{_NAME}" if self._is_secure else _NAME

    async def begin(self, response: Response, api_key: Secret) -> None:
        """Begin a session by a key that is accepted, and set its cookie.

        Raises:
            QueueUnreachable: Redis did not answer.
        """
        session = {
            "id": secrets.token_urlsafe(_RANDOM_BYTES),
            "api_key": api_key.reveal(),
            "csrf_token": secrets.token_urlsafe(_RANDOM_BYTES),
        }
        with translate_redis_errors():
            await self._redis.set(_build_key(session["id"]), "", ex=SESSION_SECONDS)
        sealed = self._sealer.seal(json.dumps(session).encode(), _CONTEXT)
        self._set(response, base64.urlsafe_b64encode(sealed).decode(), SESSION_SECONDS)

    async def read(self, request: Request) -> ConsoleSession | None:
        """Return the session of a request; None where there is none, or it has ended.

        Raises:
            QueueUnreachable: Redis did not answer.
        """
        session = self._open(request.cookies.get(self._cookie, ""))
        if session is None:
            return None
        with translate_redis_errors():
            goes_on = await self._redis.exists(_build_key(session.id))
        return session if goes_on else None

    async def end(self, response: Response, session: ConsoleSession) -> None:
        """End a session everywhere, and delete its cookie.

        Raises:
            QueueUnreachable: Redis did not answer, and the session goes on.
        """
        with translate_redis_errors():
            await self._redis.delete(_build_key(session.id))
        self._set(response, "", 0)

    def seal_field(self, session: ConsoleSession, secret: Secret) -> str:
        """Return a secret that was typed, sealed for a form of this session alone.

        A form that is shown again holds it so, and no page shows it.
        """
        sealed = self._sealer.seal(secret.reveal_bytes(), _name_field(session))
        return base64.urlsafe_b64encode(sealed).decode()

    def open_field(self, session: ConsoleSession, sealed: str) -> Secret | None:
        """Return what `seal_field` has sealed in this session; None for anything else."""
        try:
            opened = base64.b64decode(sealed, altchars=b"-_", validate=True)
            return Secret.of(self._sealer.open(opened, _name_field(session)))
        except (SealBroken, binascii.Error, ValueError):
            return None

    def _open(self, cookie: str) -> ConsoleSession | None:
        try:
            sealed = base64.b64decode(cookie, altchars=b"-_", validate=True)
            found = json.loads(self._sealer.open(sealed, _CONTEXT))
        except (SealBroken, binascii.Error, ValueError):
            return None
        return ConsoleSession(found["id"], Secret(found["api_key"]), found["csrf_token"])

    def _set(self, response: Response, value: str, seconds: int) -> None:
        response.set_cookie(
            self._cookie,
            value,
            max_age=seconds,
            path="/",
            secure=self._is_secure,
            httponly=True,
            samesite="strict",
        )


def _name_field(session: ConsoleSession) -> str:
    return f"{_CONTEXT}, form of {session.id}"


def _build_key(session_id: str) -> str:
    # Hashed, so that what can be read in Redis is no session's id.
    return _PREFIX + hashlib.sha256(session_id.encode()).hexdigest()
