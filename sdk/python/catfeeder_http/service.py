"""The service as an app sees it: the generated client, with the verbs that most apps need."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, TypeVar
from urllib.parse import quote

import httpx

from .api.connections import read_connection_token
from .api.oauth import begin_sign_in, exchange_code
from .api.passwords import check_password, check_policy, hash_password
from .client import AuthenticatedClient
from .faults import JobCancelled, JobFailed, JobTimeout, SignInRefused, StateMismatch
from .logins import Login, read_login
from .models import (
    Authorize,
    CheckPassword,
    Connection,
    ExchangeCode,
    HashPassword,
    PasswordCheck,
    PasswordHash,
    PolicyPassword,
    PolicyVerdict,
    StoredToken,
)
from .retries import AsyncRetryingTransport, Patience, RetryingTransport
from .types import UNSET

_POLL_SECONDS = 25
#: A service that cannot wait, since it stops or has too many that do, is asked no more often.
_PAUSE_SECONDS = 0.25
#: Longer than any wait that is asked for.
_HTTP_TIMEOUT_SECONDS = 60


class AnyJob(Protocol):
    """What the generated models of jobs share."""

    id: str
    status: Any
    result: Any
    error: Any

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        """Return the job that JSON holds."""
        ...


J = TypeVar("J", bound=AnyJob)


@dataclass(frozen=True)
class SignIn:
    """A sign-in that has begun: keep `state` in the user's session, and redirect the browser."""

    authorization_url: str = field(repr=False)
    state: str = field(repr=False)


class CatFeeder(AuthenticatedClient):
    """A client for every generated function (`client=...`), sync and asyncio, and verbs."""

    def __repr__(self) -> str:
        """Show no key."""
        return "CatFeeder(...)"

    def hash_password(self, password: str, **more: Any) -> PasswordHash:
        """Hash a new password; `more` are further fields of the body, such as `user_inputs`."""
        body = HashPassword(password=password, **more)
        return self._end(hash_password.sync(client=self, body=body))

    def check_password(
        self, password: str, password_hash: str | None, *, rehash: bool = True, **more: Any
    ) -> PasswordCheck:
        """Check a password; None as the hash where there is no such user."""
        body = CheckPassword(password=password, password_hash=password_hash, rehash=rehash, **more)
        return self._end(check_password.sync(client=self, body=body))

    def login(self, password: str, password_hash: str | None, **more: Any) -> Login:
        """Check a password at a login, and return whether it is right and what to store.

        Pass None as `password_hash` where there is no such user: the check takes as long. Where
        the hash is outdated, `new_hash` takes its place. `more` may have the `scheme` of that.

        Raises:
            ProblemAnswered: The hash is of no known form, or the password has a NUL.
            JobFailed: Its pepper is not set.
        """
        return read_login(self.check_password(password, password_hash, **more))

    async def login_async(self, password: str, password_hash: str | None, **more: Any) -> Login:
        """Do the same with asyncio."""
        body = CheckPassword(password=password, password_hash=password_hash, rehash=True, **more)
        job: Any = await check_password.asyncio(client=self, body=body)
        return read_login((await self.wait_for_async(job)).result)

    def check_policy(self, password: str, **more: Any) -> PolicyVerdict:
        """Say whether a new password would be taken, and why not; `more` as in `hash_password`."""
        verdict: Any = check_policy.sync(client=self, body=PolicyPassword(password, **more))
        return verdict

    def begin_sign_in(self, provider: str, return_to: str, **more: Any) -> SignIn:
        """Begin a sign-in by relay; `more` are further fields, such as `subject` or `scope`."""
        body = Authorize(relay=True, return_to=return_to, **more)
        begun: Any = begin_sign_in.sync(provider, client=self, body=body)
        return SignIn(begun.authorization_url, begun.state)

    def finish_sign_in(self, query: Mapping[str, str], state: str | None) -> Connection:
        """Redeem what came back to `return_to`, if it is this session's: `state` is what it kept.

        Raises:
            StateMismatch: Another browser began this sign-in, or none did.
            SignInRefused: The provider did not sign the user in.
            JobFailed: The code could not be redeemed.
        """
        came = query.get("state", "")
        if not state or not hmac.compare_digest(came.encode(), state.encode()):
            raise StateMismatch
        if "code" not in query:
            raise SignInRefused(query.get("error", "no_code"))
        body = ExchangeCode(code=query["code"], state=state, iss=query.get("iss", UNSET))
        return self._end(exchange_code.sync(state.split(":")[-1], client=self, body=body))

    def read_connection_token(self, connection_id: str) -> StoredToken:
        """Return a token that can be used now."""
        token: Any = read_connection_token.sync(connection_id, client=self)
        return token

    def _end(self, job: Any) -> Any:
        return self.wait_for(job).result

    def wait_for(self, job: J, seconds: float = 60) -> J:
        """Return a job once it has succeeded, with its `result`.

        Raises:
            JobFailed, JobCancelled, JobTimeout: It has not.
        """
        deadline = time.monotonic() + seconds
        while not _has_succeeded(job):
            asked = time.monotonic()
            request = _write_poll(job.id, deadline)
            job = type(job).from_dict(self.get_httpx_client().request(**request).json())
            time.sleep(_compute_pause(job, asked))
        return job

    async def wait_for_async(self, job: J, seconds: float = 60) -> J:
        """Do the same with asyncio."""
        deadline = time.monotonic() + seconds
        while not _has_succeeded(job):
            asked = time.monotonic()
            request = _write_poll(job.id, deadline)
            answer = await self.get_async_httpx_client().request(**request)
            job = type(job).from_dict(answer.json())
            await asyncio.sleep(_compute_pause(job, asked))
        return job


def _has_succeeded(job: AnyJob) -> bool:
    if job.status == "failed":
        raise JobFailed(job.error.code, job.error.detail, job.error.permanent)
    if job.status == "cancelled":
        raise JobCancelled
    return bool(job.status == "succeeded")


def _compute_pause(job: AnyJob, asked: float) -> float:
    """Return the seconds until a job may be asked for again."""
    has_ended = job.status not in ("queued", "running")
    return 0 if has_ended else max(0, asked + _PAUSE_SECONDS - time.monotonic())


def _write_poll(job_id: str, deadline: float) -> dict[str, Any]:
    left = deadline - time.monotonic()
    if left <= 0:
        raise JobTimeout(job_id)
    wait = max(1, min(_POLL_SECONDS, int(left)))
    headers = {"Prefer": f"wait={wait}"}
    return {"method": "GET", "url": f"/v1/jobs/{quote(job_id, safe='')}", "headers": headers}


def connect(
    url: str, api_key: str, *, app: str | None = None, patience: Patience | None = None
) -> CatFeeder:
    """Return a client of the service at `url`, without `/v1`; nothing is sent yet.

    `app` is the one that an operator's key acts for. Close the client, or use it in a `with`.
    """
    chosen = patience or Patience()
    shared: dict[str, Any] = {
        "base_url": url,
        "headers": {"Authorization": f"Bearer {api_key}"} | ({"Catfeeder-App": app} if app else {}),
        "timeout": _HTTP_TIMEOUT_SECONDS,
    }
    client = CatFeeder(base_url=url, token=api_key)
    client.set_httpx_client(httpx.Client(**shared, transport=RetryingTransport(chosen)))
    transport = AsyncRetryingTransport(chosen)
    client.set_async_httpx_client(httpx.AsyncClient(**shared, transport=transport))
    return client
