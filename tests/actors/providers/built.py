"""A provider as the code sees it, built for a scripted one without any table."""

from __future__ import annotations

from typing import Any

from actors.providers.protocol.provider import Provider
from actors.providers.protocol.provider_builder import (
    Credentials,
    build_provider,
    presets,
    with_base_url,
)
from catfeeder.sealing import Secret
from tests.provider.presets import play
from tests.scripted_provider import ScriptedProvider


def built(provider: ScriptedProvider, **metadata: Any) -> Provider:
    """Build it as an OpenID provider whose script says how its client authenticates."""
    method = provider.script.client_authentication
    known = {"issuer": provider.issuer, "token_endpoint_auth_method": method}
    return _built(provider, {**known, **provider.addresses(), **metadata})


def built_preset(provider: ScriptedProvider, preset: str) -> Provider:
    """Build the one of a preset, and make the scripted one behave so."""
    played = play(provider, preset)
    return _built(provider, {**presets()[preset], **played})


def _built(provider: ScriptedProvider, metadata: dict[str, Any]) -> Provider:
    known = {name: value for name, value in metadata.items() if value is not None}
    pem = known.get("private_key")
    key = Secret(pem) if pem else None
    credentials = Credentials(provider.client_id, (Secret(provider.client_secret),), key)
    return build_provider("scripted", with_base_url(known), credentials)
