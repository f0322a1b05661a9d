"""Table of verbs: the arguments of each, and the message or HTTP request that they make.

The clients for threads and for asyncio take every verb from here. They differ only in how they send
a request and wait for what comes of it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, Unpack, cast
from urllib.parse import quote, urlencode

from catfeeder.http_api import ApiRequest
from catfeeder.messages import (
    AUTHORIZE_DEVICE,
    CREATE_CONNECTION,
    EXCHANGE_CODE,
    FETCH_USER_INFO,
    REFRESH_TOKEN,
    RENEW_CONNECTION,
    REVOKE_CONNECTION,
    VERIFY_CONNECTION,
)
from catfeeder.results import (
    AccessToken,
    Authorization,
    Connection,
    ConnectLink,
    DeviceAuthorization,
    Profile,
    Revocation,
    TokenResponse,
)
from catfeeder.sealing import Secret
from catfeeder.verbs.connect_options import ConnectOptions, build_connect_session
from catfeeder.verbs.import_options import ImportOptions, build_import
from catfeeder.verbs.job_requests import API_TIMEOUT_SECONDS, JobRequest, wrap_secret
from catfeeder.verbs.passwords import PasswordVerbs
from catfeeder.verbs.sign_in_options import SignInOptions, check_sign_in_options

F = TypeVar("F", bound=Callable[..., Any])


class Verbs(PasswordVerbs):
    """What an app may ask for; each verb raises what the client's class says."""

    def authorize(
        self,
        provider: str,
        *,
        timeout: float = API_TIMEOUT_SECONDS,
        **options: Unpack[SignInOptions],
    ) -> ApiRequest[Authorization]:
        """Begin a sign-in (RFC 6749 section 4.1.1), over HTTP: send the browser to the URL.

        `SignInOptions` says what may be asked, such as `subject`, your own name for the user.

        Raises:
            TypeError: There is no such option.
            ApiNotGiven: The client was made without `api_url` and `api_key`.
            RequestRefused: The service refused it, such as for an unknown provider.
            ServiceUnreachable: It did not answer within `timeout` seconds.
        """
        body = check_sign_in_options(options)
        path = f"/v1/oauth/{quote(provider, safe='')}/authorize"
        return ApiRequest(Authorization, timeout, "POST", path, body)

    def connect_session(
        self,
        subject: str | None = None,
        *,
        timeout: float = API_TIMEOUT_SECONDS,
        **options: Unpack[ConnectOptions],
    ) -> ApiRequest[ConnectLink]:
        """Make a link to the page where a user connects accounts; it raises as `authorize`."""
        return build_connect_session(subject, timeout, options)

    def exchange_code(
        self,
        provider: str,
        code: str | Secret,
        state: str | Secret,
        iss: str | None = None,
        user: str | Secret | None = None,
        *,
        parameters: Mapping[str, str] | None = None,
    ) -> JobRequest[Connection]:
        """Ask to redeem an authorization code (RFC 6749 section 4.1.3).

        `iss` is the issuer of RFC 9207, and `user` what Apple sends beside the code, as it came;
        `parameters` are the further ones of the callback, such as `realmId`. The result is the
        connection, without its tokens.
        """
        arguments = {
            "provider": provider,
            "code": wrap_secret(code),
            "state": wrap_secret(state),
            "iss": iss,
        }
        # A service of an earlier release takes no `user`, and needs none where there is none.
        if user is not None:
            arguments["user"] = wrap_secret(user)
        if parameters:
            arguments["parameters"] = dict(parameters)
        return JobRequest(EXCHANGE_CODE, arguments)

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
        return JobRequest(FETCH_USER_INFO, arguments | _name_variables(variables))

    def access_token(
        self,
        connection_id: str,
        *,
        scope: str | None = None,
        resource: str | Sequence[str] = (),
        audience: str | Sequence[str] = (),
        timeout: float = API_TIMEOUT_SECONDS,
    ) -> ApiRequest[AccessToken]:
        """Return a stored connection's token over HTTP, renewed first when it is stale.

        With `scope`, `resource` or `audience` it is another one for exactly those (RFC 8693).

        Raises:
            ApiNotGiven: The client was made without `api_url` and `api_key`.
            RequestRefused: The service refused it; the code `reauthorization_required` says that
                the user has to sign in again.
            ServiceUnreachable: It did not answer within `timeout` seconds.
        """
        asked = {"scope": scope or (), "resource": resource, "audience": audience}
        query = urlencode({name: values for name, values in asked.items() if values}, doseq=True)
        path = f"/v1/connections/{quote(connection_id, safe='')}/token{query and '?'}{query}"
        return ApiRequest(AccessToken, timeout, "GET", path)

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
        return JobRequest(REFRESH_TOKEN, arguments | _name_variables(variables))

    def create_connection(
        self,
        provider: str,
        credentials: Mapping[str, str | Secret],
        *,
        subject: str | None = None,
        scope: str | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> JobRequest[Connection]:
        """Ask for a connection that needs no browser, made from credentials.

        They are `api_key`; `username` and `password`; or what the provider's grant takes, such as
        the members of a service account's key file. The result is the connection.
        """
        arguments: dict[str, Any] = {
            "provider": provider,
            "credentials": {name: wrap_secret(value) for name, value in credentials.items()},
            "subject": subject,
            "scope": scope,
        }
        return JobRequest(CREATE_CONNECTION, arguments | _name_variables(variables))

    def authorize_device(
        self,
        provider: str,
        *,
        subject: str | None = None,
        scope: str | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> JobRequest[DeviceAuthorization]:
        """Ask for a code that a user enters on another device (RFC 8628 section 3.1).

        Show `user_code` and `verification_uri`. The connection of `connection_id` is pending until
        the user has agreed.
        """
        arguments: dict[str, Any] = {"provider": provider, "subject": subject, "scope": scope}
        if variables:
            arguments["variables"] = dict(variables)
        return JobRequest(AUTHORIZE_DEVICE, arguments)

    def import_connection(
        self,
        provider: str,
        *,
        access_token: str | Secret | None = None,
        refresh_token: str | Secret | None = None,
        timeout: float = API_TIMEOUT_SECONDS,
        **options: Unpack[ImportOptions],
    ) -> ApiRequest[Connection]:
        """Move a grant in that another system holds, over HTTP, and return its connection.

        Moved in again, it changes nothing. `ImportOptions` says what else may be known of it; then
        `verify_connection` proves that it works.

        Raises:
            TypeError: There is no such option.
            ApiNotGiven: The client was made without `api_url` and `api_key`.
            RequestRefused: The service refused it; the code `connection_exists` says that the
                account has another grant that works.
            ServiceUnreachable: It did not answer within `timeout` seconds.
        """
        tokens = {"access_token": access_token, "refresh_token": refresh_token}
        given = {
            name: wrap_secret(token).reveal() for name, token in tokens.items() if token is not None
        }
        return build_import(provider, given, timeout, options)

    def verify_connection(self, connection_id: str) -> JobRequest[Connection]:
        """Ask to prove a connection's grant by one renewal, and to learn whose account it is."""
        return JobRequest(VERIFY_CONNECTION, {"connection_id": connection_id})

    def renew(self, connection_id: str) -> JobRequest[Connection]:
        """Ask to renew a stored connection's token now."""
        return JobRequest(RENEW_CONNECTION, {"connection_id": connection_id})

    def revoke_connection(self, connection_id: str) -> JobRequest[Revocation]:
        """Ask to revoke a connection at its provider and erase it."""
        return JobRequest(REVOKE_CONNECTION, {"connection_id": connection_id})


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


def _name_variables(variables: Mapping[str, str] | None) -> dict[str, Any]:
    """Return an argument, where there is any: a service of an earlier release takes none."""
    return {"variables": dict(variables)} if variables else {}
