"""Bearer authentication (RFC 6750): an API key names its caller and the caller's scopes."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Final

from fastapi import Request, Security, params
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from actors.api_keys import has_form_of_key
from actors.apps.settings import AppUnknown, read_app_settings
from actors.passwords.schemes import MAXIMUM_ROUNDS
from catfeeder.queue.requester import (
    DEFAULT_APP,
    acting_app,
    is_app_id,
    requester,
    sees_all_apps,
)
from catfeeder.sealing import Secret
from worker.http.asgi.threads import run_with_database
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

#: By this an operator acts for one app.
APP_HEADER: Final = "Catfeeder-App"
_REALM: Final = 'Bearer realm="catfeeder"'

#: For the OpenAPI document alone: GuardedRoute reads the header before FastAPI would.
_bearer: Final = HTTPBearer(
    auto_error=False,
    scheme_name="api_key",
    description="What ADMIN_API_KEY of .env holds, or a key of `POST /v1/keys` that has the scope "
    "which the operation names.",
)


class Scope(StrEnum):
    """What a key may be allowed to do."""

    JOBS = "jobs"
    CONNECTIONS_READ = "connections:read"
    TOKENS_READ = "tokens:read"
    CONSOLE_READ = "console:read"
    METRICS = "metrics"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request: the key's id, its scopes, and its rate limit."""

    name: str
    scopes: frozenset[Scope]
    requests_per_minute: int | None = None
    app: str = DEFAULT_APP
    app_requests_per_minute: int | None = None
    maximum_rounds: int = MAXIMUM_ROUNDS

    @property
    def is_operator(self) -> bool:
        """Whether the caller sees every app, and may act for any."""
        return Scope.ADMIN in self.scopes


class ApiKeyAuthenticator:
    """Accepts ADMIN_API_KEY, which has all scopes and no rate limit, and keys of the database."""

    def __init__(
        self, admin_api_key: Secret, rate_limiter: RateLimiter, wrong_keys: WrongKeyThrottle
    ) -> None:
        self._admin_digest = _compute_digest(admin_api_key.reveal())
        self._admin = Caller("admin", frozenset(Scope))
        self._rate_limiter = rate_limiter
        self._wrong_keys = wrong_keys
        self.stored_keys = StoredKeyCache()

    async def authenticate(self, authorization: str | None, address: str) -> Caller:
        """Return the caller whose key an Authorization header holds.

        Raises:
            KeyRequired: The header holds no bearer key.
            KeyUnknown: The key is not accepted.
            TooManyWrongKeys: This address, or all together, have sent too many wrong keys.
            RateExceeded: The key is used more often than it may be.
            DatabaseUnreachable: The key may be one of the database, which is away.
        """
        scheme, _, text = (authorization or "").strip().partition(" ")
        text = text.strip()
        if scheme.lower() != "bearer" or not text:
            raise KeyRequired(headers={"WWW-Authenticate": _REALM})
        caller = await self.identify(text, address)
        await self._count(caller)
        return caller

    async def identify(self, text: str, address: str) -> Caller:
        """Return the caller of a key, and count a wrong one.

        Raises:
            KeyUnknown, TooManyWrongKeys, DatabaseUnreachable: As `authenticate`.
        """
        caller = await self.find_caller(text)
        if caller is None:
            await self._wrong_keys.count(address)
            raise KeyUnknown(headers={"WWW-Authenticate": f'{_REALM}, error="invalid_token"'})
        return caller

    async def find_caller(self, text: str) -> Caller | None:
        """Return the caller of a key, or None for one that is not accepted.

        Raises:
            DatabaseUnreachable: The key may be one of the database, which is away.
        """
        # Digests have one length, so the time of the comparison does not even reveal the key's.
        if hmac.compare_digest(_compute_digest(text), self._admin_digest):
            return self._admin
        if not has_form_of_key(text) or self._is_surely_guessed(text):
            return None
        holder = await self.stored_keys.find_holder(text)
        if holder is None:
            return None
        scopes = frozenset(map(Scope, holder.scopes))
        return Caller(
            holder.key_id,
            scopes,
            holder.requests_per_minute,
            holder.app,
            holder.app_requests_per_minute,
            holder.maximum_rounds or MAXIMUM_ROUNDS,
        )

    def _is_surely_guessed(self, key: str) -> bool:
        """Return whether a key that this process has never known comes amid a flood of wrong ones.

        Each would cost a query. The keys that apps use are known, and go on to be looked up.
        """
        return self._wrong_keys.is_flooded and not self.stored_keys.has_known(key)

    async def _count(self, caller: Caller) -> None:
        rates = {
            f"key:{caller.name}": caller.requests_per_minute,
            f"app:{caller.app}": caller.app_requests_per_minute,
        }
        for name, per_minute in rates.items():
            wait = await self._rate_limiter.take(name, per_minute) if per_minute else None
            if wait:
                raise RateExceeded(headers={"Retry-After": str(wait)})


def _compute_digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


class RequireScope:
    """A dependency of routes: the caller's key must have a scope."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(
        self,
        request: Request,
        _shown: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None,
    ) -> Caller:
        """Return the caller, to FastAPI; raise as `check`."""
        return await self.check(request)

    async def check(self, request: Request) -> Caller:
        """Return the caller, and count a refusal in the metrics.

        Raises:
            KeyLacksScope: The key lacks the scope.
            Refusal: As `ApiKeyAuthenticator.authenticate`.
        """
        try:
            caller = await _authenticate_once(request)
            if self.scope not in caller.scopes:
                challenge = f'{_REALM}, error="insufficient_scope", scope="{self.scope}"'
                detail = (
                    f"The API key lacks the scope {self.scope}, which this request needs: "
                    f"use a key that was made with `--scope {self.scope}`."
                )
                raise KeyLacksScope(detail, headers={"WWW-Authenticate": challenge})
        except Refusal as refusal:
            request.app.state.shim.metrics.keys_refused.labels(refusal.code).inc()
            raise
        return caller


async def _authenticate_once(request: Request) -> Caller:
    """Authenticate a request the first time, and let all that it writes name the caller's key."""
    known: Caller | None = getattr(request.state, "caller", None)
    if known is not None:
        return known
    api_keys: ApiKeyAuthenticator = request.app.state.shim.api_keys
    authorization = request.headers.get("authorization")
    caller = await api_keys.authenticate(authorization, get_client_address(request))
    caller = await _act_for_app(caller, request.headers.get(APP_HEADER))
    request.state.caller = caller
    requester.set(caller.name)
    return caller


async def _act_for_app(caller: Caller, wanted: str | None) -> Caller:
    """Act for the key's app, or for the one that an operator names, within its bounds.

    Raises:
        AppUnknown: There is no such app, or it is another than the key's.
    """
    if wanted is not None and wanted != caller.app:
        if not (caller.is_operator and is_app_id(wanted)):
            raise AppUnknown
        settings = await run_with_database(read_app_settings, wanted)
        maximum = settings.get("maximum_rounds", MAXIMUM_ROUNDS)
        caller = replace(caller, maximum_rounds=maximum)
    acting_app.set(wanted or caller.app)
    sees_all_apps.set(caller.is_operator and wanted is None)
    return caller


def require_scope(scope: Scope) -> list[params.Depends]:
    """Return the dependencies of a route that requires a scope; OpenAPI shows it."""
    return [params.Security(RequireScope(scope), scopes=[scope.value])]
