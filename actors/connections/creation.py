"""Creation of connections without a browser, as far as no provider has to be asked for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from actors.connections.credentials.errors import CredentialsInvalid
from actors.connections.credentials.grants import read_grant_credentials
from actors.connections.credentials.members import Credentials, read_static_credentials
from actors.connections.credentials.storing import store_static
from actors.connections.reading import describe_connection
from actors.providers.config.lookup import find_provider
from actors.providers.errors import DiscoveryNeeded
from actors.providers.protocol.filling import fill_variables, read_variables
from actors.providers.protocol.provider import Provider
from catfeeder.results import Connection
from catfeeder.sealing import Secret

_SUBJECT: Final = re.compile("[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,255}")


@dataclass(frozen=True, slots=True)
class NewConnection:
    """What a request says of the connection that it makes."""

    provider: str
    credentials: Mapping[str, Secret]
    subject: str | None = None
    scope: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


def create_at_once(new: NewConnection, now: datetime) -> Connection | None:
    """Make a connection that no provider has to be asked for; None where one has to.

    Raises:
        ProviderUnknown, ProviderNotConfigured: As `find_provider`.
        VariablesInvalid: As `fill_in`.
        CredentialsInvalid: The provider takes other credentials.
    """
    try:
        provider = find_provider(new.provider)
    except DiscoveryNeeded:
        return None
    provider, variables = fill_in(provider, new)
    credentials = read_credentials(provider, new)
    if not credentials.is_static or provider.check_endpoint is not None:
        return None
    row = store_static(provider, new.subject, credentials, now, variables)
    return describe_connection(row)


def fill_in(provider: Provider, new: NewConnection) -> tuple[Provider, dict[str, str] | None]:
    """Return a provider as a new connection has it, and the variables as they are stored.

    Raises:
        VariablesInvalid: One is missing, unknown, or not what the provider's settings allow.
    """
    variables = read_variables(provider, new.variables)
    return fill_variables(provider, variables), variables


def read_credentials(provider: Provider, new: NewConnection) -> Credentials:
    """Return the credentials of a new connection, by the kind of its provider.

    Raises:
        CredentialsInvalid: The provider takes other credentials, or none; or the subject is none.
    """
    if new.subject is not None and not _SUBJECT.fullmatch(new.subject):
        raise CredentialsInvalid(
            "subject has 1 to 255 characters, none of them a control character."
        )
    if provider.credential_type != "oauth2":
        if new.scope is not None:
            raise CredentialsInvalid(
                "scope is for grants of OAuth 2.0; these credentials have none."
            )
        return read_static_credentials(provider, new.credentials)
    credentials = read_grant_credentials(provider, new.credentials, new.scope)
    if new.subject is not None and not new.credentials:
        raise CredentialsInvalid("The provider's own client acts for no subject: leave it out.")
    return credentials
