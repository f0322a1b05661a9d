"""The service as an app sees it: the generated client, with the verbs that most apps need."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Unpack, cast

import httpx

from .api.connections import read_connection_token
from .api.oauth import begin_sign_in, exchange_code
from .api.passwords import check_password, check_policy, hash_password
from .client import AuthenticatedClient
from .faults import InvalidApiKey
from .logins import Login, read_login
from .models import (
    CheckPassword,
    Connection,
    HashPassword,
    PasswordCheck,
    PasswordHash,
    PolicyPassword,
    PolicyVerdict,
    StoredToken,
)
from .options import CheckOptions, HashOptions, PolicyOptions, SignInOptions, TokenOptions
from .retries import AsyncRetryingTransport, Patience, RetryingTransport
from .sign_ins import SignIn, read_sign_in, write_authorize, write_exchange
from .waiting import J, wait_for, wait_for_async

#: Longer than any wait that is asked for.
_HTTP_TIMEOUT_SECONDS = 60


class CatFeeder(AuthenticatedClient):
    """A client for every generated function (`client=...`), sync and asyncio, and verbs.

    Each verb has a twin for asyncio, whose name ends in `_async`.
    """

    def __repr__(self) -> str:
        """Show no key."""
        return "CatFeeder(...)"

    def hash_password(self, password: str, **options: Unpack[HashOptions]) -> PasswordHash:
        """Hash a new password."""
        body = _write(HashPassword, options, password=password)
        return cast("PasswordHash", self._end(hash_password.sync(client=self, body=body)))

    async def hash_password_async(
        self, password: str, **options: Unpack[HashOptions]
    ) -> PasswordHash:
        """Do the same with asyncio."""
        body = _write(HashPassword, options, password=password)
        return cast(
            "PasswordHash",
            await self._end_async(await hash_password.asyncio(client=self, body=body)),
        )

    def check_password(
        self,
        password: str,
        password_hash: str | None,
        *,
        rehash: bool = True,
        **options: Unpack[CheckOptions],
    ) -> PasswordCheck:
        """Check a password; None as the hash where there is no such user."""
        body = _write_check(password, password_hash, rehash, options)
        return cast("PasswordCheck", self._end(check_password.sync(client=self, body=body)))

    async def check_password_async(
        self,
        password: str,
        password_hash: str | None,
        *,
        rehash: bool = True,
        **options: Unpack[CheckOptions],
    ) -> PasswordCheck:
        """Do the same with asyncio."""
        body = _write_check(password, password_hash, rehash, options)
        return cast(
            "PasswordCheck",
            await self._end_async(await check_password.asyncio(client=self, body=body)),
        )

    def login(
        self, password: str, password_hash: str | None, **options: Unpack[CheckOptions]
    ) -> Login:
        """Check a password at a login, and return whether it is right and what to store.

        Pass None as `password_hash` where there is no such user: the check takes as long. Where
        the hash is outdated, `new_hash` takes its place.

        Raises:
            ProblemAnswered: The hash is of no known form, or the password has a NUL.
            JobFailed: Its pepper is not set.
        """
        return read_login(self.check_password(password, password_hash, **options))

    async def login_async(
        self, password: str, password_hash: str | None, **options: Unpack[CheckOptions]
    ) -> Login:
        """Do the same with asyncio."""
        return read_login(await self.check_password_async(password, password_hash, **options))

    def check_policy(self, password: str, **options: Unpack[PolicyOptions]) -> PolicyVerdict:
        """Say whether a new password would be taken, and why not."""
        body = _write(PolicyPassword, options, password=password)
        return cast("PolicyVerdict", check_policy.sync(client=self, body=body))

    async def check_policy_async(
        self, password: str, **options: Unpack[PolicyOptions]
    ) -> PolicyVerdict:
        """Do the same with asyncio."""
        body = _write(PolicyPassword, options, password=password)
        return cast("PolicyVerdict", await check_policy.asyncio(client=self, body=body))

    def begin_sign_in(
        self, provider: str, return_to: str, **options: Unpack[SignInOptions]
    ) -> SignIn:
        """Begin a sign-in by relay."""
        body = write_authorize(return_to, options)
        return read_sign_in(begin_sign_in.sync(provider, client=self, body=body))

    async def begin_sign_in_async(
        self, provider: str, return_to: str, **options: Unpack[SignInOptions]
    ) -> SignIn:
        """Do the same with asyncio."""
        body = write_authorize(return_to, options)
        return read_sign_in(await begin_sign_in.asyncio(provider, client=self, body=body))

    def finish_sign_in(self, query: Mapping[str, str], state: str | None) -> Connection:
        """Redeem what came back to `return_to`, if it is this session's: `state` is what it kept.

        Raises:
            StateMismatch: Another browser began this sign-in, or none did.
            SignInRefused: The provider did not sign the user in.
            JobFailed: The code could not be redeemed.
        """
        provider, body = write_exchange(query, state)
        return cast("Connection", self._end(exchange_code.sync(provider, client=self, body=body)))

    async def finish_sign_in_async(self, query: Mapping[str, str], state: str | None) -> Connection:
        """Do the same with asyncio."""
        provider, body = write_exchange(query, state)
        return cast(
            "Connection",
            await self._end_async(await exchange_code.asyncio(provider, client=self, body=body)),
        )

    def read_connection_token(
        self, connection_id: str, **options: Unpack[TokenOptions]
    ) -> StoredToken:
        """Return a token that can be used now."""
        asked = _leave_out_none(options)
        return cast("StoredToken", read_connection_token.sync(connection_id, client=self, **asked))

    async def read_connection_token_async(
        self, connection_id: str, **options: Unpack[TokenOptions]
    ) -> StoredToken:
        """Do the same with asyncio."""
        asked = _leave_out_none(options)
        read = read_connection_token.asyncio(connection_id, client=self, **asked)
        return cast("StoredToken", await read)

    def _end(self, job: Any) -> Any:
        return self.wait_for(job).result

    async def _end_async(self, job: Any) -> Any:
        return (await self.wait_for_async(job)).result

    def wait_for(self, job: J, seconds: float = 60) -> J:
        """Return a job once it has succeeded, with its `result`.

        Raises:
            JobFailed, JobCancelled, JobTimeout: It has not.
        """
        return wait_for(self.get_httpx_client(), job, seconds)

    async def wait_for_async(self, job: J, seconds: float = 60) -> J:
        """Do the same with asyncio."""
        return await wait_for_async(self.get_async_httpx_client(), job, seconds)


def _write(model: Any, options: Mapping[str, Any], **fields: Any) -> Any:
    """Return a body; a field that it does not have is a TypeError."""
    return model(**fields, **options)


def _leave_out_none(options: TokenOptions) -> dict[str, Any]:
    """Return the parameters of a query, which has no null."""
    return {name: value for name, value in options.items() if value is not None}


def _write_check(
    password: str, password_hash: str | None, rehash: bool, options: CheckOptions
) -> Any:
    return _write(
        CheckPassword, options, password=password, password_hash=password_hash, rehash=rehash
    )


def connect(
    url: str, api_key: str, *, app: str | None = None, patience: Patience | None = None
) -> CatFeeder:
    """Return a client of the service at `url`, without `/v1`; nothing is sent yet.

    `app` is the one that an operator's key acts for. Close the client, or use it in a `with`.

    Raises:
        InvalidApiKey: No header can hold the key.
    """
    if not re.fullmatch("[!-~]+", api_key):
        raise InvalidApiKey
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
