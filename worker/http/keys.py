"""API keys: who is asking, and what they may ask for."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from catfeeder.sealing import Secret
from worker.http.refusals import KeyLacksScope, KeyRequired, KeyUnknown

_REALM: Final = 'Bearer realm="catfeeder"'

#: For the OpenAPI document alone: the header is read before FastAPI would.
_bearer: Final = HTTPBearer(
    auto_error=False, scheme_name="API key", description="What ADMIN_API_KEY of .env holds."
)


class Scope(StrEnum):
    """What a key may be allowed to do."""

    JOBS = "jobs"
    CONNECTIONS_READ = "connections:read"
    TOKENS_READ = "tokens:read"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request: the name of their key, and its scopes."""

    name: str
    scopes: frozenset[Scope]


class Keys:
    """The keys that are accepted."""

    def __init__(self, admin_api_key: Secret) -> None:
        """Take the key of .env, which may do everything."""
        self._admin_digest = _digest(admin_api_key)
        self._admin = Caller("admin", frozenset(Scope))

    def caller(self, authorization: str | None) -> Caller:
        """Return whose key an Authorization header holds.

        Raises:
            KeyRequired: There is no bearer key in it.
            KeyUnknown: The key is not accepted.
        """
        scheme, _, text = (authorization or "").strip().partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise KeyRequired(headers={"WWW-Authenticate": _REALM})
        # Digests are of one length, so that the time taken does not even tell the key's.
        if not hmac.compare_digest(_digest(Secret(text.strip())), self._admin_digest):
            raise KeyUnknown(headers={"WWW-Authenticate": f'{_REALM}, error="invalid_token"'})
        return self._admin


def _digest(key: Secret) -> bytes:
    return hashlib.sha256(key.reveal_bytes()).digest()


class Needs:
    """A route's demand for a key with a scope; as a dependency it yields the caller."""

    def __init__(self, scope: Scope) -> None:
        """Take the scope."""
        self.scope = scope

    def __call__(
        self,
        request: Request,
        _shown: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None,
    ) -> Caller:
        """Return the caller.

        Raises:
            KeyRequired: No key was sent.
            KeyUnknown: The key is not accepted.
            KeyLacksScope: The key may not do this.
        """
        return self.check(request)

    def check(self, request: Request) -> Caller:
        """Do the same without FastAPI, so that a route can do it before it reads the body."""
        keys: Keys = request.app.state.shim.keys
        caller = keys.caller(request.headers.get("authorization"))
        if self.scope not in caller.scopes:
            challenge = f'{_REALM}, error="insufficient_scope", scope="{self.scope}"'
            raise KeyLacksScope(headers={"WWW-Authenticate": challenge})
        request.state.caller = caller
        return caller
