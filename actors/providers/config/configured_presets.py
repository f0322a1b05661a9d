"""Presets whose credentials are in the environment: each is a provider without a request."""

from __future__ import annotations

from datetime import datetime

from actors.providers.catalogue.presets import configured_names
from config import named_variables, provider_credential
from models.db.database import hold_connection
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION


def add_configured_presets(now: datetime) -> None:
    """Add a provider for each preset whose client_id is in the environment."""
    with hold_connection():
        for preset in configured_names(named_variables()):
            if provider_credential(preset, "CLIENT_ID"):
                TAB_USER_OAUTH_CONNECTION.add_missing(preset, preset, now)
