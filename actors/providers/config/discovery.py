"""Discovery: fetches the metadata of issuers and stores it for every process."""

from __future__ import annotations

import logging
from datetime import datetime

from actors.errors import AuthError
from actors.providers.config.discovery_gate import ask_alone
from actors.providers.config.lookup import (
    find_provider,
    is_discovery_stale,
    issuer_to_discover,
    provider_row,
)
from actors.providers.errors import DiscoveryNeeded
from actors.providers.protocol.metadata import fetch_metadata
from actors.providers.protocol.provider import Provider
from actors.telemetry.provider_calls import ProviderCall
from catfeeder.clock import utc_now
from config import current_settings
from models.db.database import hold_connection

_LOG = logging.getLogger(__name__)


def discover_provider(provider: str) -> None:
    """Perform the message `discover_provider`: fetch and store the issuer's metadata.

    Raises:
        ProviderUnknown: There is no such provider.
        ProviderUnreachable, ProviderRefused, ProviderMisbehaved, AddressForbidden: The request
            to the issuer failed.
        ProviderUnavailable: Another thread asks it, or it did not answer a moment ago.
    """
    discover(provider, utc_now())


def discover(provider: str, now: datetime) -> None:
    """Fetch and store the issuer's metadata; do nothing for a provider that is complete.

    Raises:
        As `discover_provider`.
    """
    row = provider_row(provider)
    issuer = issuer_to_discover(row)
    if issuer is not None:
        oauth = current_settings().oauth
        longest = 2 * (oauth.connect_timeout_seconds + oauth.read_timeout_seconds)
        with ask_alone(issuer, longest), ProviderCall(row.name, "discovery"):
            metadata = fetch_metadata(issuer)
        with hold_connection():
            row.store_discovery(metadata, now)


def resolve_provider(name: str, now: datetime) -> Provider:
    """Return the provider of that name, after discovery where its metadata is missing.

    Raises:
        ProviderUnknown, ProviderNotConfigured: As `find_provider`.
        ProviderUnreachable, ProviderRefused, ProviderMisbehaved, AddressForbidden: The request
            to the issuer failed.
    """
    try:
        return find_provider(name)
    except DiscoveryNeeded:
        discover(name, now)
        return find_provider(name)


def refresh_if_stale(provider: str, now: datetime) -> None:
    """Fetch stale metadata anew; if that fails, log it and go on with the stale metadata.

    Raises:
        ProviderUnknown: There is no such provider.
    """
    row = provider_row(provider)
    if row.discovered is None or not is_discovery_stale(row, now):
        return
    try:
        discover(provider, now)
    except AuthError as error:
        _LOG.warning(
            "The metadata of the issuer of %s was not refreshed: %s",
            provider,
            error.detail,
            extra={"provider": provider},
        )
