"""Verbs of connections: make or import one, read its token, renew, verify and revoke it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack
from urllib.parse import quote, urlencode

from catfeeder.http_api import ApiRequest
from catfeeder.messages import (
    CREATE_CONNECTION,
    RENEW_CONNECTION,
    REVOKE_CONNECTION,
    VERIFY_CONNECTION,
)
from catfeeder.results import AccessToken, Connection, Revocation
from catfeeder.sealing import Secret
from catfeeder.verbs.import_options import ImportOptions, build_import
from catfeeder.verbs.job_requests import (
    API_TIMEOUT_SECONDS,
    JobRequest,
    name_variables,
    wrap_secret,
)


class ConnectionVerbs:
    """What an app may ask for of stored connections."""

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
        return JobRequest(CREATE_CONNECTION, arguments | name_variables(variables))

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
