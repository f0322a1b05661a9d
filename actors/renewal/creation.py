"""Creation of connections without a browser, where the provider has to be asked."""

from __future__ import annotations

from collections.abc import Mapping

from actors.connections.creation import NewConnection, fill_in, read_credentials
from actors.connections.credentials.checking import check_credentials
from actors.connections.credentials.storing import store_static
from actors.connections.reading import describe_connection
from actors.providers.config.discovery import resolve_provider
from actors.renewal.first_token import create_grant
from catfeeder.clock import utc_now
from catfeeder.results import Connection
from catfeeder.sealing import Secret


def create_connection(
    provider: str,
    credentials: Mapping[str, Secret],
    subject: str | None = None,
    scope: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> Connection:
    """Perform the message of the same name: make a connection from credentials, and return it.

    Raises:
        ProviderUnknown, ProviderNotConfigured: As `resolve_provider`.
        VariablesInvalid: A variable is missing, unknown, or not what the provider's settings allow.
        CredentialsInvalid: The provider takes other credentials.
        CredentialsRefused: The provider refuses them; nothing is stored.
        ConnectionBusy: Another request for the same connection takes long, or has failed.
        ProviderPaused, ProviderRefused: As a renewal.
        ProviderUnreachable, ProviderMisbehaved: The provider's part failed.
    """
    now = utc_now()
    new = NewConnection(provider, credentials, subject, scope, variables or {})
    found, filled = fill_in(resolve_provider(provider, now), new)
    given = read_credentials(found, new)
    if not given.is_static:
        return describe_connection(create_grant(found, subject, given, now, filled))
    check_credentials(found, given, filled)
    return describe_connection(store_static(found, subject, given, now, filled))
