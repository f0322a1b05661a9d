"""Keeping what issuers publish in the database, where every process finds it."""

from __future__ import annotations

import logging
from datetime import datetime

from actors.errors import AuthError, DiscoveryNeeded
from actors.providers.config.lookup import (
    find_provider,
    is_discovery_stale,
    issuer_to_discover,
    provider_row,
)
from actors.providers.protocol.metadata import fetch_metadata
from actors.providers.protocol.provider import Provider
from catfeeder.clock import utc_now
from models.db.database import hold_connection

_LOG = logging.getLogger(__name__)


def discover_provider(provider: str) -> None:
    """Perform the message of the same name: fetch what the provider's issuer publishes.

    Raises:
        ProviderUnknown: There is no such provider.
        ProviderUnreachable, ProviderRefused, ProviderMisbehaved, AddressForbidden: The issuer's
            part failed.
    """
    discover(provider, utc_now())


def discover(provider: str, now: datetime) -> None:
    """Fetch and keep what the issuer of `provider` publishes; without an issuer, do nothing."""
    row = provider_row(provider)
    issuer = issuer_to_discover(row)
    if issuer is not None:
        metadata = fetch_metadata(issuer)
        with hold_connection():
            row.store_discovery(metadata, now)


def resolve_provider(name: str, now: datetime) -> Provider:
    """Return the provider of that name, its issuer asked first where nothing is known of it yet.

    Raises:
        ProviderUnknown, ProviderNotConfigured: As `find_provider`.
        ProviderUnreachable, ProviderRefused, ProviderMisbehaved, AddressForbidden: The issuer's
            part failed.
    """
    try:
        return find_provider(name)
    except DiscoveryNeeded:
        discover(name, now)
        return find_provider(name)


def refresh_if_stale(provider: str, now: datetime) -> None:
    """Fetch anew what is known for too long; if that fails, what is known goes on to serve.

    Raises:
        ProviderUnknown: There is no such provider.
    """
    row = provider_row(provider)
    if row.discovered is None or not is_discovery_stale(row, now):
        return
    try:
        discover(provider, now)
    except AuthError as error:
        _LOG.warning("The issuer of %s could not be asked anew: %s", provider, error.detail)
