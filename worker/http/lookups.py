"""Whether what a job is about exists, asked before the job is made rather than by its failure."""

from __future__ import annotations

from actors.connections import find_connection
from actors.errors import ConnectionUnknown
from actors.provider_settings import describe_provider
from worker.http.names import is_id


def check_provider(provider: str) -> None:
    """Make sure that a provider exists.

    Raises:
        ProviderUnknown: It does not.
    """
    describe_provider(provider)


def check_connection(connection_id: str, provider: str | None = None) -> None:
    """Make sure that a connection exists, and that it is one to this provider if one is given.

    Raises:
        ConnectionUnknown: It does not.
    """
    if not is_id(connection_id):
        raise ConnectionUnknown
    if find_connection(connection_id).provider != provider and provider is not None:
        raise ConnectionUnknown
