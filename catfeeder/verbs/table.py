"""Table of verbs: the arguments of each, and the message or HTTP request that they make.

The clients for threads and for asyncio take every verb from here. They differ only in how they send
a request and wait for what comes of it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from catfeeder.messages import FETCH_USER_INFO, REFRESH_TOKEN
from catfeeder.results import Profile, TokenResponse
from catfeeder.sealing import Secret
from catfeeder.verbs.connections import ConnectionVerbs
from catfeeder.verbs.job_requests import JobRequest, name_variables, wrap_secret
from catfeeder.verbs.passwords import PasswordVerbs
from catfeeder.verbs.sign_ins import SignInVerbs

F = TypeVar("F", bound=Callable[..., Any])


class Verbs(SignInVerbs, ConnectionVerbs, PasswordVerbs):
    """What an app may ask for; each verb raises what the client's class says."""

    def user_info(
        self,
        provider: str,
        *,
        connection_id: str | None = None,
        access_token: str | Secret | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> JobRequest[Profile]:
        """Ask for the normalised profile behind a stored connection, or behind an access token.

        `variables` fill in the provider's URLs, beside a token; a connection has its own.
        """
        token = None if access_token is None else wrap_secret(access_token)
        arguments = {"provider": provider, "connection_id": connection_id, "access_token": token}
        return JobRequest(FETCH_USER_INFO, arguments | name_variables(variables))

    def refresh_token(
        self,
        provider: str,
        refresh_token: str | Secret,
        *,
        variables: Mapping[str, str] | None = None,
    ) -> JobRequest[TokenResponse]:
        """Ask to use a refresh token (RFC 6749 section 6) that you keep yourself.

        `variables` fill in the provider's URLs, as at the sign-in that it is from.
        """
        arguments = {"provider": provider, "refresh_token": wrap_secret(refresh_token)}
        return JobRequest(REFRESH_TOKEN, arguments | name_variables(variables))


def describe_as(verb: Callable[..., object], returns: str) -> Callable[[F], F]:
    """Return a decorator that gives a client's method the docstring and signature of its verb.

    `returns` is a template of what the method returns, such as `Job[{}]`; the type of the request's
    result goes into it.
    """

    def describe(method: F) -> F:
        functools.update_wrapper(method, verb)
        signature = inspect.signature(verb)
        _, _, result = str(signature.return_annotation).partition("[")
        described = signature.replace(return_annotation=returns.format(result.removesuffix("]")))
        cast("Any", method).__signature__ = described
        return method

    return describe
