"""Verbs of sign-ins: begin one, redeem its code, and connect accounts by a page or a device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack
from urllib.parse import quote

from catfeeder.http_api import ApiRequest
from catfeeder.messages import AUTHORIZE_DEVICE, EXCHANGE_CODE
from catfeeder.results import Authorization, Connection, ConnectLink, DeviceAuthorization
from catfeeder.sealing import Secret
from catfeeder.verbs.connect_options import ConnectOptions, build_connect_session
from catfeeder.verbs.job_requests import API_TIMEOUT_SECONDS, JobRequest, wrap_secret
from catfeeder.verbs.sign_in_options import SignInOptions, check_sign_in_options


class SignInVerbs:
    """What an app may ask for of sign-ins."""

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
