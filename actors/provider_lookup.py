"""From a name to the provider: its row, its preset, what it publishes, its credentials."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from actors.errors import DiscoveryNeeded, ProviderNotConfigured, ProviderUnknown
from actors.providers.provider import Provider, build_provider, presets
from catfeeder.sealing import Secret
from config import current_settings, provider_credential
from models.database import connected
from models.providers import TAB_USER_OAUTH_CONNECTION


def find_provider(name: str) -> Provider:
    """Return the provider of that name.

    Raises:
        ProviderUnknown: There is none.
        ProviderNotConfigured: It lacks its credentials or an endpoint.
        DiscoveryNeeded: What its issuer publishes is not known yet, or too old.
    """
    with connected():
        row = TAB_USER_OAUTH_CONNECTION.named(name)
        if row is None:
            raise ProviderUnknown(f"No provider named {name} is configured.")
        stored_secret = TAB_USER_OAUTH_CONNECTION.client_secret.open(row)
    if needs_discovery(row):
        raise DiscoveryNeeded
    client_id = row.client_id or provider_credential(name, "CLIENT_ID")
    if client_id is None:
        raise ProviderNotConfigured(
            f"The provider {name} has no client_id: set {name.upper()}_CLIENT_ID and "
            f"{name.upper()}_CLIENT_SECRET, or PUT /v1/providers/{name}."
        )
    return build_provider(name, merged_metadata(row), client_id, stored_secret or _secret(name))


def _secret(name: str) -> Secret | None:
    text = provider_credential(name, "CLIENT_SECRET")
    return Secret(text) if text else None


def merged_metadata(row: TAB_USER_OAUTH_CONNECTION) -> dict[str, Any]:
    """Return the metadata: the operator's word wins over the issuer's, that over the preset's."""
    return {**presets().get(row.preset or "", {}), **(row.discovered or {}), **row.metadata}


def issuer_to_discover(row: TAB_USER_OAUTH_CONNECTION) -> str | None:
    """Return the issuer whose metadata completes this provider; presets are complete without."""
    issuer = row.metadata.get("issuer")
    has_endpoints = "authorization_endpoint" in row.metadata and "token_endpoint" in row.metadata
    return None if row.preset or has_endpoints or not issuer else str(issuer)


def needs_discovery(row: TAB_USER_OAUTH_CONNECTION) -> bool:
    """Tell whether the issuer's metadata is unknown; old metadata serves until it is renewed."""
    return issuer_to_discover(row) is not None and row.discovered is None


def is_discovery_stale(row: TAB_USER_OAUTH_CONNECTION, now: datetime) -> bool:
    """Tell whether the issuer's metadata should be fetched anew."""
    if issuer_to_discover(row) is None:
        return False
    age = timedelta(seconds=current_settings().oauth.discovery_cache_seconds)
    return row.discovered_at is None or row.discovered_at + age <= now
