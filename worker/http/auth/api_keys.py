"""API keys: who is asking, and what they may ask for."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

from fastapi import Request, Security, params
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from actors.api_keys import has_form_of_key
from catfeeder.requester import requester
from catfeeder.sealing import Secret
from worker.http.auth.client_address import get_client_address
from worker.http.auth.rate_limits import RateLimiter
from worker.http.auth.stored_keys import StoredKeyCache
from worker.http.auth.wrong_keys import WrongKeyThrottle
from worker.http.errors.refusals import (
    KeyLacksScope,
    KeyRequired,
    KeyUnknown,
    RateExceeded,
    Refusal,
)

_REALM: Final = 'Bearer realm="catfeeder"'

#: For the OpenAPI document alone: the header is read before FastAPI would.
_bearer: Final = HTTPBearer(
    auto_error=False,
    scheme_name="API key",
    description="What ADMIN_API_KEY of .env holds, or a key of `POST /v1/keys` that has the scope "
    "which the operation names.",
)


class Scope(StrEnum):
    """What a key may be allowed to do."""

    JOBS = "jobs"
    CONNECTIONS_READ = "connections:read"
    TOKENS_READ = "tokens:read"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request: the id of their key, its scopes, and how often it may be used."""

    name: str
    scopes: frozenset[Scope]
    requests_per_minute: int | None = None


class ApiKeyAuthenticator:
    """The keys that are accepted: ADMIN_API_KEY, without limits, and those of the database."""

    def __init__(self, admin_api_key: Secret, rate_limiter: RateLimiter) -> None:
        """Take the key of .env, which may do everything, and what counts."""
        self._admin_digest = _digest(admin_api_key.reveal())
        self._admin = Caller("admin", frozenset(Scope))
        self._rate_limiter = rate_limiter
        self._wrong = WrongKeyThrottle(rate_limiter)
        self.stored = StoredKeyCache()

    async def authenticate(self, authorization: str | None, address: str) -> Caller:
        """Return whose key an Authorization header holds.

        Raises:
            KeyRequired: There is no bearer key in it.
            KeyUnknown: The key is not accepted.
            TooManyWrongKeys: There were too many such from this address.
            RateExceeded: The key is used more often than it may be.
            DatabaseUnreachable: The key may be one of the database, which is away.
        """
        scheme, _, text = (authorization or "").strip().partition(" ")
        text = text.strip()
        if scheme.lower() != "bearer" or not text:
            raise KeyRequired(headers={"WWW-Authenticate": _REALM})
        caller = await self._known(text, address)
        if caller is None:
            await self._wrong.count(address)
            raise KeyUnknown(headers={"WWW-Authenticate": f'{_REALM}, error="invalid_token"'})
        await self._count(caller)
        return caller

    async def _known(self, text: str, address: str) -> Caller | None:
        # Digests are of one length, so that the time taken does not even tell the key's.
        if not self._wrong.is_refused(address) and hmac.compare_digest(
            _digest(text), self._admin_digest
        ):
            return self._admin
        if not has_form_of_key(text):
            return None
        holder = await self.stored.holder(text)
        if holder is None:
            return None
        scopes = frozenset(map(Scope, holder.scopes))
        return Caller(holder.key_id, scopes, holder.requests_per_minute)

    async def _count(self, caller: Caller) -> None:
        if caller.requests_per_minute is None:
            return
        wait = await self._rate_limiter.take(f"key:{caller.name}", caller.requests_per_minute)
        if wait:
            raise RateExceeded(headers={"Retry-After": str(wait)})


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


class RequireScope:
    """A route's demand for a key with a scope; as a dependency it yields the caller."""

    def __init__(self, scope: Scope) -> None:
        """Take the scope."""
        self.scope = scope

    async def __call__(
        self,
        request: Request,
        _shown: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None,
    ) -> Caller:
        """Return the caller.

        Raises:
            KeyLacksScope: The key may not do this.
            Refusal: As `ApiKeyAuthenticator.authenticate`.
        """
        return await self.check(request)

    async def check(self, request: Request) -> Caller:
        """Do the same without FastAPI, so that a route can do it before it reads the body."""
        try:
            caller = await _caller_of(request)
            if self.scope not in caller.scopes:
                challenge = f'{_REALM}, error="insufficient_scope", scope="{self.scope}"'
                raise KeyLacksScope(headers={"WWW-Authenticate": challenge})
        except Refusal as refusal:
            request.app.state.shim.metrics.keys_refused.labels(refusal.code).inc()
            raise
        return caller


async def _caller_of(request: Request) -> Caller:
    """Find out once a request who sent it; whatever is written from now on names them."""
    known: Caller | None = getattr(request.state, "caller", None)
    if known is not None:
        return known
    api_keys: ApiKeyAuthenticator = request.app.state.shim.api_keys
    caller = await api_keys.authenticate(
        request.headers.get("authorization"), get_client_address(request)
    )
    request.state.caller = caller
    requester.set(caller.name)
    return caller


def require_scope(scope: Scope) -> list[params.Depends]:
    """Return the dependencies of a route that demands a scope, and shows so in its description."""
    return [params.Security(RequireScope(scope), scopes=[scope.value])]
