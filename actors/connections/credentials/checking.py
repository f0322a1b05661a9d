"""Check request: the provider's API is asked once whether it takes an API key or a password."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import requests

from actors.connections.credentials.errors import CredentialsRefused
from actors.connections.credentials.members import Credentials
from actors.providers.errors import ProviderMisbehaved
from actors.providers.http.requests import send
from actors.providers.protocol.placements import Placement
from actors.providers.protocol.provider import Provider
from actors.telemetry.provider_calls import ProviderCall

_SUCCESSES: Final = range(200, 300)


def check_credentials(
    provider: Provider, credentials: Credentials, variables: Mapping[str, str] | None = None
) -> None:
    """Ask `check_endpoint`, where the provider has one, with the credentials in their place.

    `variables` are those that the provider is filled in with.

    Raises:
        CredentialsRefused: The answer's status is 4xx.
        ProviderUnreachable: No answer in time, or its status is 5xx or 429.
        ProviderMisbehaved, AddressForbidden: As `GuardedAdapter.send`.
    """
    if provider.check_endpoint is None:
        return
    placement = Placement(provider.api_headers, provider.api_query_parameters, provider.client_id)
    headers, query = placement.place_members(credentials.kind, credentials.members, variables)
    with ProviderCall(provider.name, "check"):
        answer = send(provider.check_method, provider.check_endpoint, headers=headers, params=query)
    if answer.status_code in _SUCCESSES:
        return
    status = f"status {answer.status_code}"
    if answer.status_code < requests.codes.bad_request:
        raise ProviderMisbehaved(
            f"The provider answered the check of the credentials with {status}."
        )
    raise CredentialsRefused(
        f"The provider refuses these credentials, with {status}; nothing was stored."
    )
