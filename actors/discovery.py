"""Keeping what issuers publish in the database, where every process finds it."""

from __future__ import annotations

import logging
from datetime import datetime

from actors.errors import ProviderMisbehaved, ProviderUnknown, ProviderUnreachable
from actors.provider_lookup import is_discovery_stale, issuer_to_discover
from actors.providers.discovery import fetch_metadata
from catfeeder.jobs import utc_now
from models.database import connected
from models.providers import TAB_USER_OAUTH_CONNECTION

_LOG = logging.getLogger(__name__)


def discover_provider(provider: str) -> None:
    """Perform the message of the same name: fetch what the provider's issuer publishes.

    Raises:
        ProviderUnknown: There is no such provider.
        ProviderUnreachable, ProviderMisbehaved, AddressForbidden: The issuer's part failed.
    """
    discover(provider, utc_now())


def discover(provider: str, now: datetime) -> None:
    """Fetch and keep what the issuer of `provider` publishes; without an issuer, do nothing."""
    with connected():
        row = TAB_USER_OAUTH_CONNECTION.named(provider)
    if row is None:
        raise ProviderUnknown(f"No provider named {provider} is configured.")
    issuer = issuer_to_discover(row)
    if issuer is not None:
        metadata = fetch_metadata(issuer)
        with connected():
            TAB_USER_OAUTH_CONNECTION.remember_discovery(provider, metadata, now)


def refresh_if_stale(provider: str, now: datetime) -> None:
    """Fetch anew what is known for too long; if that fails, what is known goes on to serve."""
    with connected():
        row = TAB_USER_OAUTH_CONNECTION.named(provider)
    if row is None or not is_discovery_stale(row, now):
        return
    try:
        discover(provider, now)
    except (ProviderUnreachable, ProviderMisbehaved) as error:
        _LOG.warning("The issuer of %s could not be asked anew: %s", provider, error.detail)
