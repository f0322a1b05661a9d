"""Scripts of the presets' providers, after the behaviour of the real ones."""

from __future__ import annotations

from typing import Any, Final

from actors.providers.protocol.provider_builder import presets
from tests.provider.clients import KEY_ID, TEAM_ID, client_key_pem
from tests.provider.script import Script
from tests.scripted_provider import ScriptedProvider

TENANT: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"

_SCRIPTS: Final[dict[str, dict[str, Any]]] = {
    "google": {"client_authentication": "client_secret_post", "requires_pkce": False},
    "facebook": {
        "client_authentication": "client_secret_post",
        "gives_refresh_token": False,
        "expires_in": 5183944,
        "tells_scope": False,
    },
    "github": {
        "client_authentication": "client_secret_post",
        "errors_are_200": True,
        "gives_refresh_token": False,
        "expires_in": None,
        "scope_separator": ",",
        "token_members": {"token_type": "bearer"},
    },
    "microsoft": {
        "client_authentication": "client_secret_post",
        "rotation": "rotating",
        "claims": {"tid": TENANT},
    },
    "linkedin": {
        "client_authentication": "client_secret_post",
        "requires_pkce": False,
        "refuses_pkce": True,
        "gives_refresh_token": False,
        "expires_in": 5183999,
        "claims": {"nonce": None},
    },
    "x": {"rotation": "single_use", "expires_in": 7200},
    "discord": {
        "client_authentication": "client_secret_post",
        "requires_pkce": False,
        "rotation": "single_use",
        "expires_in": 604800,
    },
    "spotify": {"requires_pkce": False},
    "gitlab": {
        "client_authentication": "client_secret_post",
        "rotation": "single_use",
        "expires_in": None,
        "requires_redirect_uri_at_renewal": True,
    },
    "slack": {
        "client_authentication": "client_secret_post",
        "requires_pkce": False,
        "tells_ok": True,
        "gives_refresh_token": False,
        "expires_in": None,
        "tells_scope": False,
    },
    "slack_app": {
        "client_authentication": "client_secret_post",
        "requires_pkce": False,
        "tells_ok": True,
        "gives_pairs": True,
    },
    "apple": {
        "client_authentication": "apple_client_secret",
        "requires_pkce": False,
        "tells_scope": False,
        "always_gives_id_token": True,
        "claims": {
            "email": "relay@privaterelay.appleid.com",
            "email_verified": "true",
            "is_private_email": "true",
        },
    },
}
#: The scopes of an operator's Slack app.
_ASKED_OF_SLACK: Final[dict[str, Any]] = {
    "scopes": ["commands", "chat:write"],
    "authorization_parameters": {"user_scope": "search:read,users:read"},
}
#: Revocation endpoints of the providers without RFC 7009.
_REVOCATIONS: Final = {
    "facebook": "/me/permissions",
    "github": "/applications/{client_id}/grant",
    "slack": "/auth.revoke",
    "slack_app": "/auth.revoke",
}


def play(provider: ScriptedProvider, preset: str) -> dict[str, Any]:
    """Make a provider behave as the preset's, and return the settings that lead there."""
    provider.script = Script(shape=preset, **_SCRIPTS[preset])
    settings = {"preset": preset, **provider.credentials(), **_addresses(provider, preset)}
    match preset:
        case "google" | "linkedin" | "gitlab" | "slack":
            return {**settings, "issuer": provider.issuer}
        case "microsoft":
            tenants = f"{provider.issuer}/{TENANT}/v2.0"
            provider.script.claims = {**provider.script.claims, "iss": tenants}
            return {**settings, "issuer": f"{provider.issuer}/{{tenantid}}/v2.0"}
        case "slack_app":
            return {**settings, **_ASKED_OF_SLACK}
        case "apple":
            del settings["client_secret"]
            key = {"team_id": TEAM_ID, "key_id": KEY_ID, "private_key": client_key_pem()}
            return {**settings, **key, "issuer": provider.issuer}
    return settings


def _addresses(provider: ScriptedProvider, preset: str) -> dict[str, str]:
    addresses = provider.addresses()
    for name in ("userinfo_endpoint", "revocation_endpoint"):
        if name not in presets()[preset]:
            del addresses[name]
    if "device_authorization_endpoint" in presets()[preset]:
        addresses["device_authorization_endpoint"] = f"{provider.issuer}/device"
    if preset in _REVOCATIONS:
        addresses["revocation_endpoint"] = provider.issuer + _REVOCATIONS[preset]
    if preset == "facebook":
        addresses["userinfo_endpoint"] += "?fields=id,name,email,picture"
        addresses["debug_token_endpoint"] = f"{provider.issuer}/debug_token"
    if preset == "github":
        addresses["emails_endpoint"] = f"{provider.issuer}/user/emails"
    return addresses
