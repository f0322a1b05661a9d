"""Whether what a job is about exists, asked before the job is made rather than by its failure."""

from __future__ import annotations

from actors.connections.reading import find_connection
from actors.errors import ConnectionUnknown, ProviderUnknown
from actors.providers.config.lookup import provider_row


def check_provider(provider: str) -> None:
    """Make sure that a provider exists.

    Raises:
        ProviderUnknown: It does not.
    """
    provider_row(provider)


def has_provider(provider: str) -> bool:
    """Tell whether a provider exists."""
    try:
        provider_row(provider)
    except ProviderUnknown:
        return False
    return True


def check_connection(connection_id: str, provider: str | None = None) -> None:
    """Make sure that a connection exists, and that it is one to this provider if one is given.

    Raises:
        ConnectionUnknown: It does not.
    """
    if find_connection(connection_id).provider != provider and provider is not None:
        raise ConnectionUnknown
